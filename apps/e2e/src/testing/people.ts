import type { Flagfall } from './flagfall.js';

/** A user with an access token. */
export interface Person {
  id: number;
  username: string;
  token: string;
}

/** Creates a user over HTTP, as an administrator would. */
export async function newPerson(flagfall: Flagfall, username: string, more: { admin?: boolean } = {}): Promise<Person> {
  const user = await must(flagfall, 'POST', '/users', {
    username,
    name: `The ${username}`,
    email: `${username}@example.com`,
    ...more,
  });
  return { id: user.id, username, token: await newToken(flagfall, user.id) };
}

/** A further access token of a user. */
export async function newToken(
  flagfall: Flagfall,
  userId: number,
  more: { scopes?: string[]; expires_at?: string } = {},
): Promise<string> {
  const fields = { name: 'for a test', scopes: ['api'], ...more };
  return (await must(flagfall, 'POST', `/users/${userId}/personal_access_tokens`, fields)).token;
}

/** Creates a project over HTTP. @returns its id */
export async function newProject(flagfall: Flagfall, path: string, more: object = {}): Promise<number> {
  return (await must(flagfall, 'POST', '/projects', { path, visibility: 'private', ...more })).id;
}

/** Makes a user a member of a project. */
export async function join(flagfall: Flagfall, projectId: number, userId: number, level: number): Promise<void> {
  await must(flagfall, 'POST', `/projects/${projectId}/members`, { user_id: userId, access_level: level });
}

async function must(flagfall: Flagfall, method: string, path: string, json: object) {
  const { status, body } = await flagfall.call(method, path, { token: flagfall.rootToken, json });
  if (status !== 201) throw new Error(`${method} ${path} was answered ${status} ${JSON.stringify(body)}`);
  return body;
}
