import { type Refusal, tooManyRequests } from '#libs/contracts';

/** How somebody stands in the current minute. */
export interface Rate {
  /** GitLab's name of what is limited, or one of ours. */
  name: string;
  /** Calls a minute. */
  limit: number;
  /** Calls so far, this one included. */
  observed: number;
  /** Unix time in seconds at which counting starts anew. */
  resetAt: number;
}

/** What the headers tell, for the API's description. */
export const rateHeaderTexts = {
  'RateLimit-Name': 'Which limit it is that leaves the least',
  'RateLimit-Limit': 'Calls a minute',
  'RateLimit-Observed': 'Calls in this minute, this one included',
  'RateLimit-Remaining': 'Calls that are left',
  'RateLimit-Reset': 'Unix time in seconds at which counting starts anew',
  'RateLimit-ResetTime': 'The same as a date',
};

/** The headers that tell it (trigger-api.md §1.9); clients of GitLab read one or another of them. */
export function rateHeaders(rate: Rate): Record<keyof typeof rateHeaderTexts, string> {
  return {
    'RateLimit-Name': rate.name,
    'RateLimit-Limit': String(rate.limit),
    'RateLimit-Observed': String(rate.observed),
    'RateLimit-Remaining': String(remaining(rate)),
    'RateLimit-Reset': String(rate.resetAt),
    'RateLimit-ResetTime': new Date(rate.resetAt * 1000).toUTCString(),
  };
}

/** The one of them that leaves the least; of equals the first. Undefined where there is none. */
export function tightest(rates: readonly Rate[]): Rate | undefined {
  return rates.reduce<Rate | undefined>(
    (least, rate) => (least === undefined || remaining(rate) < remaining(least) ? rate : least),
    undefined,
  );
}

/** The refusal of a call that is beyond a limit; undefined when it is within all of them. @param now in milliseconds */
export function refusalBeyond(rates: readonly Rate[], now: number): Refusal | undefined {
  const beyond = rates.find(({ observed, limit }) => observed > limit);
  // Clocks of the database and of this machine may differ a little; nobody is told to come back at once.
  return beyond && tooManyRequests(Math.max(1, beyond.resetAt - now / 1000), rateHeaders(beyond));
}

function remaining({ limit, observed }: Rate): number {
  return Math.max(0, limit - observed);
}
