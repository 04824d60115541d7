import type { JobVariable } from './job.payload.js';

/** A variable ready to be set: its value is final; `file` ones hold the content that goes into the file. */
export interface ReadyVariable {
  key: string;
  value: string;
  file: boolean;
}

/** Single characters that a shell knows as parameters: GitLab's runner expands them to nothing. */
const SPECIAL = new Set('*#@!?-0123456789');

/**
 * Expands `$NAME` and `${NAME}` as GitLab's runner does: once, unknown names become empty, `$$` becomes `$`, a dollar that no name
 * follows stays, malformed braces are dropped (runner-api.md §2.7).
 * @param lookup the value of a name, undefined when there is none
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(
    /\$(?:\{([^}]*)\}|(\{)|([*#$@!?\-0-9])|([A-Za-z_][A-Za-z0-9_]*))/g,
    (...match: (string | undefined)[]) => {
      const name = match[1] ?? match[3] ?? match[4] ?? '';
      if (name === '$') return '$';
      return name === '' || SPECIAL.has(name) ? '' : (lookup(name) ?? '');
    },
  );
}

/**
 * The variables a job's processes get: of entries with the same key the last counts, values are expanded unless `raw`, and a
 * reference to a file variable gives the path of its file. The order is that of first mention.
 * @param path where the file of a file variable lies
 */
export function resolveVariables(entries: readonly JobVariable[], path: (key: string) => string): ReadyVariable[] {
  const last = new Map<string, JobVariable>();
  for (const entry of entries) last.set(entry.key, entry);
  const lookup = (name: string) => {
    const entry = last.get(name);
    return entry?.file ? path(name) : entry?.value;
  };
  return [...last.values()].map(({ key, value, raw, file }) => ({
    key,
    value: raw ? value : expand(value, lookup),
    file: file === true,
  }));
}

/** Every value that must not be seen in the log: as it was given, and as the job gets it. */
export function maskedValues(entries: readonly JobVariable[], ready: readonly ReadyVariable[]): string[] {
  const keys = new Set(entries.filter((entry) => entry.masked).map((entry) => entry.key));
  return [
    ...entries.filter((entry) => entry.masked).map((entry) => entry.value),
    ...ready.filter((variable) => keys.has(variable.key)).map((variable) => variable.value),
  ];
}

/** Names that bash can export; its own read-only ones would end the script at their assignment. */
export function isExportable({ key, value, file }: ReadyVariable): boolean {
  const readOnly = ['BASHOPTS', 'BASH_VERSINFO', 'EUID', 'PPID', 'SHELLOPTS', 'UID'];
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) && !readOnly.includes(key) && (file || !value.includes('\0'));
}

/** Flags as GitLab's runner reads them: true, t and 1, in any case. */
export function isTrue(value: string | undefined): boolean {
  return ['true', 't', '1'].includes((value ?? '').toLowerCase());
}

/** Go's way to write durations (`1h30m`, `90s`, `1.5h`, `500ms`), in milliseconds; undefined where it is none or not positive. */
export function parseDuration(text: string | undefined): number | undefined {
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text ?? '')) return undefined;
  let total = 0;
  for (const [, amount, unit] of text!.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) total += Number(amount) * units[unit!]!;
  return total > 0 ? total : undefined;
}

/** Lines `KEY=value` that a job wrote to its `GITLAB_ENV` file, for the scripts after it. Values are data: never expanded. */
export function parseEnvironmentFile(content: string): JobVariable[] {
  return content.split('\n').flatMap((line) => {
    const match = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*?)\r?$/.exec(line);
    return match ? [{ key: match[1]!, value: match[2]!, raw: true }] : [];
  });
}
