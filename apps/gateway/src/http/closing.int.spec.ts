import { once } from 'node:events';
import { connect } from 'node:net';
import { startTestGateway } from '../testing/test-gateway.js';

const limitMs = 10_000;

it('closing does not wait for connections on which nobody asked anything', async () => {
  const gateway = await startTestGateway([]);
  const used = connect(gateway.port, '127.0.0.1');
  used.write('GET /-/liveness HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(used, 'data');
  const unused = connect(gateway.port, '127.0.0.1');
  await once(unused, 'connect');
  const ends = Promise.all([used, unused].map((socket) => once(socket.resume(), 'close')));
  const began = performance.now();
  await gateway.close();
  await ends;
  expect(performance.now() - began).toBeLessThan(limitMs);
});
