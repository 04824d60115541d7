import { type CallerNames, NameCallers } from '#libs/contracts';
import { isUnanswered } from '#libs/messaging';
import type { Services } from '../services.js';

/** How long a page waits for names: it matters most while something does not answer. */
const waitMs = 2_000;

/**
 * Descriptions of a project's triggers and names of users, as they are now.
 * @returns nobody's where the token service does not answer in time
 */
export async function callerNames(
  services: Services,
  projectId: number,
  triggerIds: number[],
  userIds: number[],
): Promise<CallerNames> {
  const nobody: CallerNames = { triggers: [], users: [] };
  if (triggerIds.length === 0 && userIds.length === 0) return nobody;
  try {
    return await services.ask(NameCallers, { projectId, triggerIds, userIds }, waitMs);
  } catch (error) {
    if (isUnanswered(error)) return nobody;
    throw error;
  }
}
