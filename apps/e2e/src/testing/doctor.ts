import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Flagfall } from './flagfall.js';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../../../../bin/flagfall.mjs', import.meta.url));

interface Told {
  code: number;
  text: string;
}

/** As an operator types it, in the environment of the services. */
export async function doctor(flagfall: Flagfall, change: Record<string, string> = {}): Promise<Told> {
  const { directory, databaseUrl, amqpUrl, namespace } = flagfall.installation;
  const env = {
    PATH: process.env.PATH,
    FLAGFALL_URL: flagfall.url,
    DATABASE_URL: databaseUrl,
    AMQP_URL: amqpUrl,
    NAMESPACE: namespace,
    DATA_DIR: directory,
    ...change,
  };
  return run(process.execPath, [program, 'doctor'], { env }).then(
    ({ stdout }) => ({ code: 0, text: stdout }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, text: stdout + stderr }),
  );
}
