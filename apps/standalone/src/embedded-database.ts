import { existsSync } from 'node:fs';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { DatabaseWorkerData } from './embedded-database.worker.js';

/** A running embedded database: where the ordinary pg driver finds it, and how to end it. */
export interface EmbeddedDatabase {
  url: string;
  /** Ends it cleanly. Whoever is connected is disconnected. */
  close(): Promise<void>;
  /** Settles when the database ends without having been told to; rejects with the reason. */
  failed: Promise<never>;
}

/** The name that pg, like libpq, looks for in the directory it is given as host. */
const socketName = '.s.PGSQL.5432';

/** `sun_path` holds 108 bytes on Linux and 104 on macOS, the closing NUL among them. */
const longestSocketPath = 103;

/** How long a query that is running may hold up closing. Ending it then is what a power cut would be: the log is replayed at the next start. */
const closingMs = 10_000;

/** Made by the build, so that a first start copies a fresh cluster (0.2 s) instead of making one (4 s, and 800 MB of memory). */
const template = fileURLToPath(new URL('../../../embedded-database', import.meta.url));

/**
 * Starts PostgreSQL (PGlite, in a thread of its own, so that a long query holds up no HTTP request) on the cluster in
 * `<dataDir>/database`, which is made when it is missing, and listens on a Unix socket that only this user may open.
 *
 * All clients share one session, of which each has sole use from a query's first message to its end, or from BEGIN to COMMIT. So: no `SET`
 * but `SET LOCAL`, no session advisory locks, no LISTEN, no temporary tables that outlive a transaction, and no waiting inside a transaction
 * for anything but that transaction's own connection (after 5 s of silence it is rolled back and disconnected). Queries cannot be cancelled;
 * `statement_timeout` has no effect. Prepared statements are each client's own, as usual.
 *
 * @param dataDir an existing directory that the caller has locked (data-directory.ts): PGlite itself does not notice a second one
 * @throws Error with a sentence for the operator when the cluster cannot be opened
 */
export async function startEmbeddedDatabase(dataDir: string): Promise<EmbeddedDatabase> {
  const directory = join(resolve(dataDir), 'database');
  if (!existsSync(directory)) await makeCluster(directory);
  const { path, remove } = await socketDirectory(resolve(dataDir));
  const worker = startWorker({ directory, socket: join(path, socketName) });
  let closing = false;
  const ended = new Promise<number>((done) => worker.once('exit', done));
  const failed = new Promise<never>((_, reject) => {
    worker.once('error', (cause) => reject(cannotOpen(directory, cause)));
    void ended.then(
      (code) =>
        closing || reject(new Error(`The embedded database in ${directory} has ended unexpectedly (code ${code}).`)),
    );
  });
  failed.catch(() => {}); // It is for those who ask; until then it is no unhandled rejection.
  await Promise.race([new Promise((ready) => worker.once('message', ready)), failed]).catch(async (error) => {
    await remove();
    throw error;
  });
  return {
    url: `postgres://postgres@localhost/postgres?host=${encodeURIComponent(path)}`,
    failed,
    close: async () => {
      closing = true;
      worker.postMessage('close');
      const impatient = setTimeout(() => void worker.terminate(), closingMs);
      await ended;
      clearTimeout(impatient);
      await remove();
    },
  };
}

/** Makes an empty cluster, complete or not at all: a start that is killed meanwhile leaves nothing that a next one would take for one. */
export async function makeCluster(directory: string): Promise<void> {
  const unfinished = `${directory}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  if (existsSync(template)) {
    await cp(template, unfinished, { recursive: true });
  } else {
    const worker = startWorker({ directory: unfinished });
    await new Promise<void>((done, reject) => worker.once('error', reject).once('exit', () => done()));
  }
  await rename(unfinished, directory);
}

/** Removes what a killed process left of its socket, and avoids directories whose path is too long for one. */
async function socketDirectory(dataDir: string): Promise<{ path: string; remove: () => Promise<void> }> {
  const socket = join(dataDir, socketName);
  if (Buffer.byteLength(socket) <= longestSocketPath) {
    const remove = () => rm(socket, { force: true });
    await remove();
    return { path: dataDir, remove };
  }
  const path = await mkdtemp(join(tmpdir(), 'flagfall-')); // mode 0700
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

function startWorker(workerData: DatabaseWorkerData): Worker {
  return new Worker(new URL('./embedded-database.worker.js', import.meta.url), { workerData, execArgv: [] });
}

function cannotOpen(directory: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(`The embedded database in ${directory} cannot be opened: ${reason}`, { cause });
}
