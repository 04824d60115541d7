import { invalid, Refusal } from '#libs/contracts';

const allowed = /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/;
const endings = /\.(git|atom)?$/i;
/** Names that URLs below the external address begin with, which a user's namespace would hide. */
const reserved = new Set(['-', 'api', 'admin', 'health', 'help', 'search', 'users', 'projects', '.well-known']);

/** GitLab's rules for usernames, which are the path of the user's namespace too. @returns undefined when it may be used */
export function usernameRefusal(username: string): Refusal | undefined {
  if (username.length > 255) return invalid({ username: ['is too long (maximum is 255 characters)'] });
  if (!allowed.test(username) || endings.test(username)) {
    return invalid({
      username: [
        "can contain only letters, digits, '_', '-' and '.'. It must not start with '-' or end in '.', '.git' or '.atom'.",
      ],
    });
  }
  return reserved.has(username.toLowerCase()) ? invalid({ username: ['is a reserved name'] }) : undefined;
}

/** GitLab says this one in a plain sentence. */
export function takenRefusal(what: 'Email' | 'Username'): Refusal {
  return new Refusal(409, { message: `${what} has already been taken` });
}
