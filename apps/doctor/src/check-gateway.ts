import { type Finding, ok, reasonOf, wrong } from './finding.js';

const answerMs = 10_000;

/** Whether a gateway answers, and what it says of the parts that it needs. */
export async function checkGateway(url: string): Promise<Finding> {
  try {
    const answer = await fetch(`${url}/-/readiness`, { signal: AbortSignal.timeout(answerMs) });
    const { checks } = (await answer.json()) as { checks: Record<string, string> };
    const failed = Object.keys(checks).filter((name) => checks[name] !== 'ok');
    if (failed.length === 0) return ok('gateway', `${url} is ready`);
    return wrong(
      'gateway',
      `${url} answers ${answer.status}, and says that these do not work: ${failed.join(', ')}`,
      'See the lines below for the database and the broker; `services` are the token-service and the pipeline-service.',
    );
  } catch (error) {
    return wrong(
      'gateway',
      `${url} does not answer: ${reasonOf(error)}`,
      'Start the gateway, see in its log why it does not come up, or name another one with FLAGFALL_URL.',
    );
  }
}
