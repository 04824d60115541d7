const seconds: Record<string, number> = {};
for (const [names, length] of [
  ['s sec secs second seconds', 1],
  ['m min mins minute minutes', 60],
  ['h hr hrs hour hours', 3_600],
  ['d day days', 86_400],
  ['w week weeks', 604_800],
  ['mo mon mos mons month months', 2_592_000],
  ['y yr yrs year years', 31_536_000],
] as const)
  for (const name of names.split(' ')) seconds[name] = length;

export const oneWeek = 604_800;
export const oneMonth = 2_592_000;

const longestText = 255;

/**
 * Seconds of a duration as people write it (`30 minutes`, `3h 30m`, `1 day`, `3600`, `1:30:00`; ci-config.md §6.5); a month is
 * 30 days. Null when it is none.
 */
export function parseDuration(text: string): number | null {
  const lower = text.trim().toLowerCase();
  if (lower.length > longestText) return null;
  if (/^\d+(?:\.\d+)?$/.test(lower)) return Math.round(Number(lower));
  if (/^\d+(?::\d+){1,2}$/.test(lower)) return lower.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  let total = 0;
  let rest = lower;
  while (rest !== '') {
    const part = /^(\d+(?:\.\d+)?)\s*([a-z]+)(?:\s*(?:,|\band\b))?\s*/.exec(rest);
    const unit = part?.[2] === undefined ? undefined : seconds[part[2]];
    if (!part || unit === undefined) return null;
    total += Number(part[1]) * unit;
    rest = rest.slice(part[0].length);
  }
  return lower === '' ? null : Math.round(total);
}
