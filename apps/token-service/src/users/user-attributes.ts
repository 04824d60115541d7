import { Refusal } from '#libs/contracts';

const usernames = /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/;
const refusedEndings = /\.(git|atom)?$/i;
/** What URLs below the external address begin with: a user's namespace of that name would hide it. */
const reserved = new Set(['-', 'api', 'admin', 'health', 'help', 'search', 'users', 'projects', '.well-known']);
const longest = 255;

/**
 * GitLab's rules for a new user; the username is the path of the user's namespace too.
 * @returns attribute → what is wrong with it; empty when nothing is
 */
export function userProblems(user: { username: string; name: string; email: string }): Record<string, string[]> {
  const problems: Record<string, string[]> = {};
  for (const [attribute, value] of Object.entries({ username: user.username, name: user.name, email: user.email })) {
    const found = value.trim() === '' ? ["can't be blank"] : attributeProblems(attribute, value);
    if (found.length > 0) problems[attribute] = found;
  }
  return problems;
}

function attributeProblems(attribute: string, value: string): string[] {
  if (value.length > longest) return [`is too long (maximum is ${longest} characters)`];
  if (attribute === 'email') return /^[^@\s]+@[^@\s]+$/.test(value) ? [] : ['is invalid'];
  if (attribute === 'name') return [];
  if (!usernames.test(value) || refusedEndings.test(value)) {
    return [
      "can contain only letters, digits, '_', '-' and '.'. It must not start with '-' or end in '.', '.git' or '.atom'.",
    ];
  }
  return reserved.has(value.toLowerCase()) ? ['is a reserved name'] : [];
}

/** GitLab says this one in a plain sentence. */
export function takenRefusal(what: 'Email' | 'Username'): Refusal {
  return new Refusal(409, { message: `${what} has already been taken` });
}
