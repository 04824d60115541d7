import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../../libs/messaging/src/testing/until.js';

// What `npm start` runs once everything is built.
const main = fileURLToPath(new URL('../../../dist/apps/standalone/src/main.js', import.meta.url));

interface Started {
  process: ChildProcess;
  /** Everything it has printed so far. */
  printed: () => string;
  exit: Promise<number | null>;
}

function start(env: Record<string, string>): Started {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [main], {
    env: { PATH, HOME, DEMO: 'false', RUNNER_CONCURRENCY: '0', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { process: child, printed: () => text, exit: once(child, 'close').then(([code]) => code as number | null) };
}

async function untilRunning(started: Started): Promise<string> {
  const ended = started.exit.then((code) => {
    throw new Error(`It ended with ${code}: ${started.printed()}`);
  });
  ended.catch(() => {});
  while (!started.printed().includes('Ctrl-C stops it.'))
    await Promise.race([once(started.process.stdout!, 'data'), ended]);
  return /http:\/\/127\.0\.0\.1:\d+/.exec(started.printed())![0];
}

/** The process of the built-in runner, where there is one. */
function runnerOf(parent: number): number | undefined {
  return readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8')
    .split(' ')
    .filter(Boolean)
    .map(Number)
    .find(
      (pid) => existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('built-in-runner'),
    );
}

describe('npm start', () => {
  let directory: string;
  let running: Started | undefined;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'start-'));
  });
  afterEach(async () => {
    running?.process.kill('SIGKILL');
    await running?.exit;
    running = undefined;
    rmSync(directory, { recursive: true });
  });

  it('is ready when it says so, stops cleanly when Ctrl-C arrives twice, and finds its data again', async () => {
    running = start({ DATA_DIR: directory });
    const url = await untilRunning(running);
    expect((await fetch(`${url}/-/readiness`)).status).toBe(200);
    const rootToken = readFileSync(join(directory, 'root-token'), 'utf8');
    running.process.kill('SIGINT');
    running.process.kill('SIGINT');
    expect(await running.exit).toBe(0);
    expect(existsSync(join(directory, 'lock'))).toBe(false);

    running = start({ DATA_DIR: directory });
    await untilRunning(running);
    expect(readFileSync(join(directory, 'root-token'), 'utf8')).toBe(rootToken);
    running.process.kill('SIGTERM');
    expect(await running.exit).toBe(0);
  });

  it('refuses a data directory that another one holds, and takes it when that one was killed', async () => {
    running = start({ DATA_DIR: directory });
    await untilRunning(running);
    const second = start({ DATA_DIR: directory });
    expect(await second.exit).toBe(1);
    expect(second.printed()).toBe(
      `The data directory ${directory} is in use by another Flagfall (process ${running.process.pid}). Stop that one first, or set DATA_DIR (and PORT) to start a second one beside it.\n`,
    );
    running.process.kill('SIGKILL');
    await running.exit;
    running = start({ DATA_DIR: directory });
    await untilRunning(running);
  });

  it('starts its runner again when that ends, and leaves none behind when it is killed itself', async () => {
    running = start({ DATA_DIR: directory, RUNNER_CONCURRENCY: '1', LOG_LEVEL: 'info' });
    await untilRunning(running);
    const first = await until('the runner to be there', () => runnerOf(running!.process.pid!));
    expect(readFileSync(`/proc/${first}/environ`, 'utf8')).not.toMatch(/TOKEN|SECRET|glrt-/);
    process.kill(first, 'SIGKILL');
    const second = await until('another runner', () => {
      const pid = runnerOf(running!.process.pid!);
      return pid !== first && pid;
    });
    expect(running.printed()).toContain('the built-in runner ended (SIGKILL) and is started again');
    running.process.kill('SIGKILL');
    await until('the runner to be gone', () => !existsSync(`/proc/${second}`));
  });

  it('says which port is taken, and leaves nothing behind', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    running = start({ DATA_DIR: directory, PORT: String(port) });
    expect(await running.exit).toBe(1);
    expect(running.printed()).toContain(`Port ${port} of 127.0.0.1 is in use by another program.`);
    expect(existsSync(join(directory, 'lock'))).toBe(false);
    server.close();
  });

  it('lists what is wrong with its settings, without a stack', async () => {
    running = start({ DATA_DIR: directory, PORT: 'x', DEMO: 'maybe' });
    expect(await running.exit).toBe(1);
    expect(running.printed()).toBe(
      'Flagfall cannot start:\n- PORT is not a whole number from 0 to 65535\n- DEMO is not one of true, false\n',
    );
  });
});
