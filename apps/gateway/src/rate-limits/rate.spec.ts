import { type Rate, rateHeaders, refusalBeyond, tightest } from './rate.js';

const noon = Date.UTC(2030, 0, 31, 12);
const rate = (observed: number, limit = 2, name = 'jobs_index'): Rate => ({
  name,
  limit,
  observed,
  resetAt: noon / 1000,
});

it('is told in headers', () => {
  expect(rateHeaders(rate(3))).toEqual({
    'RateLimit-Name': 'jobs_index',
    'RateLimit-Limit': '2',
    'RateLimit-Observed': '3',
    'RateLimit-Remaining': '0',
    'RateLimit-Reset': String(noon / 1000),
    'RateLimit-ResetTime': 'Thu, 31 Jan 2030 12:00:00 GMT',
  });
});

it.each<[string, Rate[], string | undefined]>([
  ['none', [], undefined],
  ['the one that leaves the least', [rate(1, 10, 'token'), rate(9, 10, 'project')], 'project'],
  ['the first of equals', [rate(12, 10, 'token'), rate(20, 10, 'project')], 'token'],
])('the tightest of several: %s', (_, rates, name) => expect(tightest(rates)?.name).toBe(name));

describe('a call', () => {
  it('within every limit is let through', () => {
    expect(refusalBeyond([], noon)).toBeUndefined();
    expect(refusalBeyond([rate(2), rate(1, 1)], noon)).toBeUndefined();
  });

  it('beyond one is refused, and told when to come back in whole seconds', () => {
    const refusal = refusalBeyond([rate(1), rate(4, 3, 'project')], noon - 59_001);
    expect(refusal?.status).toBe(429);
    expect(refusal?.body).toEqual({
      message: { error: 'This endpoint has been requested too many times. Try again later.' },
    });
    expect(refusal?.headers).toMatchObject({ 'Retry-After': '60', 'RateLimit-Name': 'project' });
  });

  it('is never told to come back at once, whatever the clock says', () => {
    expect(refusalBeyond([rate(3)], noon + 5_000)?.headers).toMatchObject({ 'Retry-After': '1' });
  });
});
