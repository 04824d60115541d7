import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { checkPort } from './port.js';

describe('checkPort', () => {
  it('gives a free port back, and leaves it free', async () => {
    const port = await checkPort('127.0.0.1', 0);
    expect(port).toBeGreaterThan(0);
    expect(await checkPort('127.0.0.1', port)).toBe(port);
  });

  it('says what to do when the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await expect(checkPort('127.0.0.1', port)).rejects.toThrow(
      `Port ${port} of 127.0.0.1 is in use by another program. Stop that one, or set PORT to a free port: PORT=8081 npm start`,
    );
    server.close();
  });

  it('says so when the address is not ours', async () => {
    await expect(checkPort('192.0.2.1', 0)).rejects.toThrow(
      'Flagfall cannot listen on port 0 of 192.0.2.1 (HOST, PORT)',
    );
  });
});
