import { CallRate, rateHeaders } from './call-rate.js';

const noon = Date.UTC(2030, 0, 31, 12);

describe('the rate of calls', () => {
  it('counts each caller alone', () => {
    const rate = new CallRate();
    rate.count(1, 600, noon);
    expect(rate.count(1, 600, noon).observed).toBe(2);
    expect(rate.count(2, 600, noon).observed).toBe(1);
  });

  it('starts anew with each minute, and says when', () => {
    const rate = new CallRate();
    expect(rate.count(1, 600, noon + 59_999)).toEqual({ limit: 600, observed: 1, resetAt: noon / 1000 + 60 });
    expect(rate.count(1, 600, noon + 60_000)).toEqual({ limit: 600, observed: 1, resetAt: noon / 1000 + 120 });
  });

  it('is told in headers', () => {
    expect(rateHeaders('jobs_index', { limit: 2, observed: 3, resetAt: noon / 1000 })).toEqual({
      'RateLimit-Name': 'jobs_index',
      'RateLimit-Limit': '2',
      'RateLimit-Observed': '3',
      'RateLimit-Remaining': '0',
      'RateLimit-Reset': String(noon / 1000),
      'RateLimit-ResetTime': 'Thu, 31 Jan 2030 12:00:00 GMT',
    });
  });
});
