import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { EnsureRoot, Refusal } from '#libs/contracts';
import { hashSecret } from './access/secrets.js';
import type { Services } from './services.js';

const tryAgainMs = 500;

/**
 * Sees to it that the first administrator exists and has the token that the operator gave, trying until the token service answers.
 * @param stopped ends the attempts
 */
export async function ensureRoot(services: Services, token: string, log: Logger, stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    try {
      await services.ask(EnsureRoot, { tokenHash: hashSecret(token).toString('hex'), visible: token.slice(-4) });
      return;
    } catch (error) {
      if (error instanceof Refusal && error.status < 500) throw error;
      log.debug({ err: error }, 'waiting for the token service');
      await delay(tryAgainMs, undefined, { signal: stopped }).catch(() => undefined);
    }
  }
}
