/**
 * `Content-Range` of a log PATCH: first and last byte, inclusive, without a unit and without a total (runner-api.md §4.1).
 * @param start offset of the first byte
 * @param length number of bytes, at least 1
 */
export function contentRange(start: number, length: number): string {
  return `${start}-${start + length - 1}`;
}

/**
 * The coordinator's size of the log out of `Range: 0-<size>`: the next expected offset, not the index of the last byte
 * (runner-api.md §4.2). Undefined where the header is absent or unreadable.
 */
export function acceptedSize(header: string | undefined): number | undefined {
  const match = /^\s*(?:bytes[= ])?0-(\d{1,15})\s*$/.exec(header ?? '');
  return match ? Number(match[1]) : undefined;
}

/**
 * Where the log goes on after a 416: at the coordinator's size, and from the start when it does not tell one. A size beyond what
 * the log holds cannot be continued from, so that the offset stays and the refusal counts as a failed try.
 * @param offset where the refused PATCH started
 * @param size bytes the log holds
 */
export function offsetAfterRefusal(header: string | undefined, offset: number, size: number): number {
  const accepted = acceptedSize(header) ?? 0;
  return accepted > size ? offset : accepted;
}
