import { invalidParameters } from '#libs/contracts';

/** Where the next page of a keyset listing begins: below this job. Opaque to callers, who send back what a link gave them. */
export function cursorAfter(jobId: number): string {
  return Buffer.from(JSON.stringify({ id: String(jobId) })).toString('base64url');
}

/**
 * The id below which the page begins.
 * @throws Refusal 400 for what never was a cursor
 */
export function jobIdOf(cursor: string): number {
  const id = /^\{"id":"(\d{1,15})"\}$/.exec(Buffer.from(cursor, 'base64url').toString())?.[1];
  if (id === undefined) throw invalidParameters('cursor is invalid');
  return Number(id);
}
