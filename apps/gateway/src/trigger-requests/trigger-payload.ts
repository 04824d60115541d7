import type { SentParameters } from '../http/request-parameters.js';

/** Credentials that a caller may have put among the parameters; none of them may reach a job (trigger-api.md §1.5). */
const secrets = new Set(['token', 'private_token', 'job_token', 'access_token']);

/**
 * Text of the file variable TRIGGER_PAYLOAD: all parameters of the call as compact JSON, in the order received, path parameters last,
 * `variables` always there, credentials never (trigger-api.md §1.5).
 *
 * @param sent the merged parameters, `id` as it was written in the URL
 */
export function triggerPayload(sent: SentParameters): string {
  const kept = Object.entries(sent).filter(
    ([name, value]) => !secrets.has(name) && !(name === 'variables' && value === null),
  );
  const payload = Object.fromEntries(kept);
  if (!('variables' in payload)) payload['variables'] = {};
  return JSON.stringify(payload);
}
