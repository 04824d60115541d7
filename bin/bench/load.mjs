import autocannon from 'autocannon';

/**
 * Sends POST requests as fast as they are answered, or at a rate, for so many seconds or, where given, until so many are answered.
 * @param rate at most so many a second, in place of as fast as they are answered
 * @param requests what to send, in turn: path and body of a form
 * @returns answered per second, milliseconds at the median and the 99th percentile, and how many were answered with another status
 */
export async function load({ url, connections, seconds, amount, requests, status, rate }) {
  let next = 0;
  const result = await autocannon({
    url,
    connections,
    ...(amount ? { amount } : { duration: seconds }),
    ...(rate && { overallRate: rate }),
    requests: [
      {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        setupRequest: (request) => ({ ...request, ...requests[next++ % requests.length] }),
      },
    ],
  });
  const counted = result.statusCodeStats[status]?.count ?? 0;
  return {
    perSecond: counted / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    others: result['2xx'] + result.non2xx - counted + result.errors,
  };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
