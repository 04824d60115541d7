/**
 * An answer that says no: what a caller of the HTTP API gets, decided wherever the reason is known and carried to the gateway unchanged.
 * The texts are GitLab's (trigger-api.md §0.3); the catalogue of them is `refusals.ts`.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  /**
   * @param status the HTTP status, 4xx or 5xx
   * @param body the JSON body, exactly as the caller gets it
   * @param headers further response headers, such as `Retry-After` in whole seconds
   */
  constructor(
    readonly status: number,
    readonly body: Record<string, unknown>,
    readonly headers: Record<string, string> = {},
  ) {
    super(`${status} ${JSON.stringify(body)}`);
  }
}
