/** What one job request came to, for the decision when to ask again. */
export type PollResult =
  | { kind: 'job' }
  | { kind: 'nothing'; heldMs: number }
  | { kind: 'refused' }
  | { kind: 'trouble'; askedPauseMs: number | undefined };

/** `quick`: empty answers in a row that were not held; `failures`: refusals or troubles in a row. */
interface PollState {
  quick: number;
  failures: number;
}

export const FIRST_POLL: PollState = { quick: 0, failures: 0 };

/** gitlab-runner's `check_interval` (runner-api.md §7). */
const CHECK_INTERVAL_MS = 3000;
const LONGEST_BACKOFF_MS = 60_000;
const LONGEST_ASKED_PAUSE_MS = 15 * 60_000;
const REFUSED_PAUSE_MS = 60_000;
const LONGEST_REFUSED_PAUSE_MS = 10 * 60_000;

/**
 * When to ask for a job again, in milliseconds. A held request is followed by the next at once, so that there is no gap in which a
 * job would wait; so is the first empty answer that came quickly, because coordinators in GitLab's style answer 204 on a wake-up and
 * hold only a request that carries the `last_update` of that answer (runner-api.md §2.3). A refused token polls ever more slowly.
 * @param random a number in [0, 1), for jitter
 */
export function nextPoll(state: PollState, result: PollResult, random: number): { state: PollState; pauseMs: number } {
  const jitter = 0.5 + random / 2;
  switch (result.kind) {
    case 'job':
      return { state: FIRST_POLL, pauseMs: 0 };
    case 'nothing': {
      const quick = result.heldMs >= 1000 ? 0 : state.quick + 1;
      return { state: { quick, failures: 0 }, pauseMs: quick < 2 ? 0 : Math.max(0, CHECK_INTERVAL_MS - result.heldMs) };
    }
    case 'refused': {
      const failures = state.failures + 1;
      const pauseMs = Math.min(REFUSED_PAUSE_MS * 2 ** Math.min(failures - 1, 10), LONGEST_REFUSED_PAUSE_MS);
      return { state: { quick: 0, failures }, pauseMs: pauseMs * jitter };
    }
    case 'trouble': {
      const failures = state.failures + 1;
      const backoff = Math.min(250 * 2 ** Math.min(failures - 1, 20), LONGEST_BACKOFF_MS) * jitter;
      // A moment more than asked, spread out: all the runners of an installation were told the same.
      const asked =
        result.askedPauseMs === undefined ? 0 : Math.min(result.askedPauseMs, LONGEST_ASKED_PAUSE_MS) + 1000 * random;
      return { state: { quick: 0, failures }, pauseMs: Math.max(backoff, asked) };
    }
  }
}
