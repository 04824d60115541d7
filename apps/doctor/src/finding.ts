/** What was looked at, and how it is. */
export interface Finding {
  /** What it is about, in a word or two. */
  about: string;
  /** `unknown`: it could not be looked at from here, which is no fault. */
  state: 'ok' | 'wrong' | 'unknown';
  text: string;
  /** What to do about it; there where something is wrong. */
  advice?: string;
}

export const ok = (about: string, text: string): Finding => ({ about, state: 'ok', text });
export const wrong = (about: string, text: string, advice: string): Finding => ({
  about,
  state: 'wrong',
  text,
  advice,
});
export const unknown = (about: string, text: string): Finding => ({ about, state: 'unknown', text });

const words = { ok: 'ok', wrong: 'WRONG', unknown: '-' };
const stateWidth = 7;
const aboutWidth = 18;

/** A line for each finding, with what to do below it, and a sum. */
export function report(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ about, state, text, advice }) => [
    `${words[state].padEnd(stateWidth)}${about.padEnd(aboutWidth)}${text}`,
    ...(advice ? [`${' '.repeat(stateWidth + aboutWidth)}→ ${advice}`] : []),
  ]);
  const count = findings.filter(({ state }) => state === 'wrong').length;
  const sum = count === 0 ? 'Nothing is wrong.' : `${count} ${count === 1 ? 'thing is' : 'things are'} wrong.`;
  return [...lines, '', sum].join('\n');
}

/** Why something failed, in one line. */
export function reasonOf(error: unknown): string {
  // A refused connection to a name with two addresses is an AggregateError with an empty message.
  if (error instanceof AggregateError) return [...new Set(error.errors.map(reasonOf))].join('; ');
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error && error.message === 'fetch failed') return reasonOf(error.cause);
  return (error.message || (error as { code?: string }).code || error.name).split('\n', 1)[0] as string;
}
