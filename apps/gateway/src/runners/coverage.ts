import { setImmediate as turn } from 'node:timers/promises';
import { type Matcher, RE2JS } from 're2js';

/** So much of the end of a log is searched, in bytes: tools print their summary last. */
export const searchedBytes = 1_048_576;
/** No summary is longer. In characters. */
const longestLine = 4_096;
/**
 * RE2 takes time by the size of an expression and the length of a text, in instructions times characters, of which a second has some fifty million. So
 * much is done for a job, and so much before others have their turn.
 */
const workAtMost = 50_000_000;
const workAtOnce = 1_000_000;

/**
 * The coverage that a job printed, in percent: the first number in the last match on the last line that has one, as in GitLab. Null when there is
 * none, the expression is not valid, or too large for the log that it searches.
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
  let work = 0;
  let turns = 0;
  for (const line of log.split('\n').reverse()) {
    const text = line.slice(0, longestLine);
    const matcher = expression.matcher(text);
    let found: string | null = null;
    for (let start = 0; ; start = matcher.end()) {
      // Each search may go through all that is left of the line.
      work += expression.programSize() * (text.length - start + 1);
      if (work > workAtMost) return null;
      if (work > workAtOnce * (turns + 1)) {
        turns = Math.floor(work / workAtOnce);
        await turn();
      }
      if (!matcher.find()) break;
      found = lastGroup(matcher);
    }
    const number = /\d+(?:\.\d+)?/.exec(found ?? '')?.[0];
    if (number !== undefined) return Number(number);
  }
  return null;
}

/** Of a match, or all of it where there are no groups. */
function lastGroup(matcher: Matcher): string | null {
  const count = matcher.groupCount();
  return count > 0 ? (matcher.group(count) ?? '') : (matcher.group() ?? null);
}
