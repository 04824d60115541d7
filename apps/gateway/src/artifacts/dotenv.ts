import { refusedRequest } from '#libs/contracts';

/** GitLab's limits of a report: what is larger is no list of variables. */
export const dotenvLimit = 5 * 1024;
const mostVariables = 50;

/**
 * Variables of a dotenv report: a line each, `NAME=value`, the value perhaps in quotes. Nothing in a value is expanded, there are no comments and
 * no values of several lines, as in GitLab.
 *
 * @throws Refusal 400 that names the line which is none, as a `message`, which gitlab-runner shows in the log
 */
export function parseDotenv(text: string): { key: string; value: string }[] {
  const variables = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    // Spaces at either end are not the pattern's business: it would try every way to share them out.
    const found = /^([A-Za-z_]\w*)\s*=(.*)$/.exec(line.trim());
    if (!found) throw refusedRequest(`Invalid Format: line ${index + 1} of the dotenv report is not NAME=value`);
    const [, key = '', value = ''] = found;
    variables.delete(key);
    variables.set(key, unquoted(value.trim()));
  }
  if (variables.size > mostVariables)
    throw refusedRequest(`Dotenv files cannot have more than ${mostVariables} variables`);
  return [...variables].map(([key, value]) => ({ key, value }));
}

function unquoted(value: string): string {
  return /^(["']).*\1$/s.test(value) && value.length >= 2 ? value.slice(1, -1) : value;
}
