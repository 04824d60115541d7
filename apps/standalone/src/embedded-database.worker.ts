import { chmod } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketHandler } from '@electric-sql/pglite-socket';
import { SessionLease } from './session-lease.js';

/** What the thread is told: the cluster's directory, and the socket to listen on; without a socket it only makes the cluster and ends. */
export interface DatabaseWorkerData {
  directory: string;
  socket?: string;
}

/**
 * Settings that differ from PGlite's own. A connection costs nothing here (all share one session), so the buffers are the memory that
 * counts: 16 MB instead of 128 MB keep the process some 120 MB smaller.
 */
const settings = ['shared_buffers=16MB', 'wal_buffers=1MB', 'max_wal_size=128MB', 'jit=off'];

/** How long a transaction may say nothing. Nobody else is served meanwhile, so it is shorter than the 10 s that a service waits for a query. */
const silenceMs = 5_000;

const { directory, socket } = workerData as DatabaseWorkerData;
const database = await PGlite.create(directory, {
  startParams: [...PGlite.defaultStartParams, ...settings.flatMap((setting) => ['-c', setting])],
});
if (socket === undefined) {
  await database.close();
} else {
  const server = await listen(socket);
  parentPort!.once('message', () => void stop(server));
  parentPort!.postMessage('ready');
}

async function listen(path: string): Promise<Server> {
  const handlers = new Map<number, PGLiteSocketHandler>();
  const lease = new SessionLease(
    (message, onRawData) => database.execProtocolRawStream(message, { onRawData }),
    silenceMs,
    (client) => void handlers.get(client)?.detach(true),
  );
  const server = createServer((connection) => {
    // The class that the type names is not exported, and its members are private; its public methods are those of SessionLease.
    const handler = new PGLiteSocketHandler({ queryQueue: lease as never, closeOnDetach: true });
    handlers.set(handler.handlerId, handler);
    connection.once('close', () => handlers.delete(handler.handlerId));
    void handler.attach(connection);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  await chmod(path, 0o600);
  return server;
}

async function stop(server: Server): Promise<void> {
  server.close();
  await database.close();
  process.exit();
}
