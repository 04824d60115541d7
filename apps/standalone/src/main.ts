import { join } from 'node:path';
import { createLog } from '#libs/process';
import { readConfig } from './config.js';
import { DataDirectory } from './data-directory.js';
import { startEmbeddedDatabase } from './embedded-database.js';
import { checkPort } from './port.js';
import type { Closers } from './standalone.js';
import { welcome } from './welcome.js';

const closers: Closers = [];
let closing: Promise<void> | undefined;
let closingSince = 0;

/** npm passes on the Ctrl-C that the terminal has already sent to all: one press arrives twice. */
const samePressMs = 1_000;

/** Backwards, so that what still uses something goes first. */
async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

function stop(): void {
  if (closing) {
    // The second time somebody insists.
    if (performance.now() - closingSince > samePressMs) process.exit(1);
    return;
  }
  console.log('\nStopping …');
  closingSince = performance.now();
  closing = closeAll();
  closing.then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
}

process.on('SIGINT', stop);
process.on('SIGTERM', stop);
try {
  const config = readConfig(process.env);
  const log = createLog('flagfall', config.logLevel);
  const data = DataDirectory.take(config.dataDir);
  closers.push(() => data.release());
  const port = await checkPort(config.host, config.port);
  console.log(`Starting Flagfall with the data in ${data.path} …`);
  const embedded = config.databaseUrl === undefined ? startEmbeddedDatabase(data.path) : undefined;
  if (embedded)
    closers.push(() =>
      embedded.then(
        (database) => database.close(),
        () => {},
      ),
    );
  // Reading a thousand modules takes as long as starting the database, in another thread: they do not wait for each other.
  const { startStandalone } = await import('./standalone.js');
  const { externalUrl, demo } = await startStandalone(config, process.env, embedded, port, data, log, closers);
  console.log(welcome(externalUrl, join(data.path, 'root-token'), demo));
} catch (error) {
  if (!closing) {
    console.error(error instanceof Error ? error.message : error);
    await closeAll().catch(() => {});
    process.exit(1);
  }
}
