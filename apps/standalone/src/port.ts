import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Makes sure, before anything is started, that a server can listen there.
 * @param port 0 for any free one
 * @returns the port
 * @throws Error with a sentence for the operator
 */
export async function checkPort(host: string, port: number): Promise<number> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new Error(
        `Port ${port} of ${host} is in use by another program. Stop that one, or set PORT to a free port: PORT=8081 npm start`,
        { cause: error },
      );
    throw new Error(`Flagfall cannot listen on port ${port} of ${host} (HOST, PORT): ${message}`, { cause: error });
  }
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : port;
}
