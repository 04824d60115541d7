import { type AddressInfo, connect } from 'node:net';
import type { Readable } from 'node:stream';
import { fastify } from 'fastify';
import type { Refusal } from '#libs/contracts';
import { BodyMemory } from './body-memory.js';
import { send } from './failure.filter.js';
import { readBodies } from './request-body.js';
import type { BodySettings } from './request-body.decorator.js';

describe('a body', () => {
  /** With a memory of 1,000 bytes, and a tenth of a second for bodies. @returns all that is answered until the connection ends */
  async function exchange(headers: string, body: string, settings: BodySettings = {}): Promise<string> {
    const server = fastify();
    readBodies(server, { memory: new BodyMemory(1_000), timeLimitMs: 100 });
    server.post('/', { config: { body: settings } }, (request, reply) => {
      if (settings.as === 'stream') (request.body as Readable).resume();
      else void reply.send('read');
    });
    server.setErrorHandler((error: Refusal, _request, reply) => send(reply, error));
    await server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.server.address() as AddressInfo;
    let answer = '';
    const socket = connect(port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
      // Whoever has an answer goes; without one the server ends it.
      if (answer.includes('\r\n\r\n{')) socket.end();
    });
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${body}`);
    await closed;
    await server.close();
    return answer;
  }

  it('that trickles in is waited for, but not for ever', async () => {
    const answer = await exchange('Content-Length: 50', '{');
    expect(answer).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
    expect(answer).toContain('{"error":"The request body did not arrive within 0.1 seconds"}');
  });

  it('that is a stream of which nothing comes ends its connection', async () => {
    expect(await exchange('Content-Length: 50', '{', { as: 'stream' })).toBe('');
  });

  it.each([
    ['asks before it is sent', 'Content-Length: 1001\r\nExpect: 100-continue', ''],
    ['announces its length', 'Content-Length: 1001', '{'],
    ['comes in chunks', 'Transfer-Encoding: chunked', `3e9\r\n"${'x'.repeat(1000)}`],
    ['takes more once it is read', 'Content-Length: 51', `[${'1,'.repeat(24)}1]`],
  ])('without room is refused when it %s', async (_, headers, body) => {
    const answer = await exchange(headers, body);
    expect(answer).toMatch(/^HTTP\/1.1 503 Service Unavailable\r\n/);
    expect(answer).toMatch(/^retry-after: 5\r$/im);
  });

  it('with room is asked for', async () => {
    const asked = exchange('Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close', '{}');
    expect(await asked).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n.*read$/s);
  });
});
