import { setImmediate as turn } from 'node:timers/promises';
import { RE2JS } from 're2js';

/** So much of the end of a log is searched, in bytes: tools print their summary last. */
export const searchedBytes = 1_048_576;
/** RE2 takes time by the length of a line; no summary is longer. In characters. */
const longestLine = 4_096;
const linesAtOnce = 200;

/**
 * The coverage that a job printed, in percent: the first number in the last match on the last line that has one, as in GitLab. Null when there is
 * none, or the expression is not valid.
 * @param log the end of the log
 * @param pattern `coverage` of the job, a regular expression without its slashes; runs on RE2
 */
export async function findCoverage(log: string, pattern: string): Promise<number | null> {
  let expression: RE2JS;
  try {
    expression = RE2JS.compile(pattern);
  } catch {
    return null;
  }
  const lines = log.split('\n').reverse();
  for (const [index, line] of lines.entries()) {
    // A long log must not keep everybody else waiting.
    if (index % linesAtOnce === linesAtOnce - 1) await turn();
    const number = /\d+(?:\.\d+)?/.exec(lastMatch(expression, line.slice(0, longestLine)) ?? '')?.[0];
    if (number !== undefined) return Number(number);
  }
  return null;
}

/** The last group of the last match, or all of it where there are no groups. */
function lastMatch(expression: RE2JS, line: string): string | null {
  const matcher = expression.matcher(line);
  let found: string | null = null;
  while (matcher.find()) {
    const groups = Array.from({ length: matcher.groupCount() }, (_, index) => matcher.group(index + 1) ?? '');
    found = groups.at(-1) ?? matcher.group() ?? null;
  }
  return found;
}
