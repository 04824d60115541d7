/**
 * One event on its way: a CloudEvents 1.0 event whose `type` is the routing key, name and version (architecture.md §3).
 * `correlationId` and `traceparent` (W3C) pass through unchanged.
 */
export interface Message<T = unknown> {
  readonly id: string;
  /** Routing key with the version, such as `pipeline.triggered.v1`. */
  readonly type: string;
  /** Who says it, a URI reference such as `/gateway`. */
  readonly source: string;
  /** RFC 3339. */
  readonly time: string;
  readonly subject?: string;
  readonly correlationId?: string;
  readonly traceparent?: string;
  /** Crosses as JSON, in process too: no class instances, no `undefined`, no `Date`. */
  readonly data: T;
}

/** Says what is wrong with the data of a message or request, in words without secrets; an empty list when nothing is. */
export type Validate = (pattern: string, data: unknown) => string[];

/** What is wrong with the data. Data that breaks its own validation (nesting without end) is wrong too, and harms nobody else. */
export function problemsOf(validate: Validate, pattern: string, data: unknown): string[] {
  try {
    return validate(pattern, data);
  } catch (error) {
    return [`${pattern}: could not be checked: ${error instanceof Error ? error.name : 'unknown error'}`];
  }
}
