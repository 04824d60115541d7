import type { Problem } from '#libs/ci-config';

/** A problem of a configuration with its place, for people. */
export function problemText({ message, line, file }: Problem): string {
  if (line === undefined) return message;
  return `${message} (line ${line}${file === undefined ? '' : ` of ${file}`})`;
}
