import { invalidParameters } from '#libs/contracts';

const uuid = '[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}';
/** Of a request. */
export const requestIdPattern = new RegExp(`^${uuid}$`);
const cursorPattern = new RegExp(`^\\{"id":"(${uuid})"\\}$`);

/** Where the next page of a project's requests begins: after this one. Opaque to callers, who send back what a link gave them. */
export function cursorAfter(requestId: string): string {
  return Buffer.from(JSON.stringify({ id: requestId })).toString('base64url');
}

/**
 * The id of the request after which the page begins.
 * @throws Refusal 400 for what never was a cursor
 */
export function requestIdOf(cursor: string): string {
  const id = cursorPattern.exec(Buffer.from(cursor, 'base64url').toString())?.[1];
  if (id === undefined) throw invalidParameters('cursor is invalid');
  return id;
}
