import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/** What it wants requests to be signed with. */
export const s3Credentials = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' };

/** A server that speaks S3, with one bucket, in a process and a directory of its own. */
export interface S3Server {
  /** What `STORAGE_URL` is to be. */
  url: string;
  stop(): Promise<void>;
}

export async function startS3Server(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'flagfall-s3-'));
  const program = join(dirname(createRequire(import.meta.url).resolve('s3rver/package.json')), 'bin/s3rver.js');
  const options = ['-d', directory, '-a', '127.0.0.1', '-p', '0', '--no-vhost-buckets', '--configure-bucket', 'jobs'];
  const child = spawn(process.execPath, ['--no-deprecation', program, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  for await (const line of createInterface(child.stdout)) {
    const port = /listening on .*?:(\d+)/.exec(line)?.[1];
    if (!port) continue;
    // What it logs of each request is to be read away, or it waits.
    child.stdout.resume();
    return {
      url: `s3://jobs/ci?endpoint=http://127.0.0.1:${port}`,
      stop: async () => {
        child.kill();
        await ended;
        await rm(directory, { recursive: true, force: true });
      },
    };
  }
  throw new Error('the S3 server ended at its start');
}
