const dayMs = 86_400_000;
/** GitLab's lifetime of access tokens, and with them of trigger tokens (trigger-api.md §2.2, §9.10). */
const maximumDays = 365;

/**
 * Whether a token may end at this time. There is no lower bound: one in the past makes a token that is expired at once.
 *
 * @returns what is wrong with it in GitLab's words, undefined when nothing is
 */
export function expiryProblem(expiresAt: Date, now: Date): string | undefined {
  const today = Math.floor(now.getTime() / dayMs) * dayMs;
  const limit = new Date(today + maximumDays * dayMs);
  return expiresAt < limit ? undefined : `must be before ${limit.toISOString().slice(0, 10)}`;
}
