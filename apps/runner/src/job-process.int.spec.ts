import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMarker } from './job-marker.js';
import { OutputPipe, runProcess, type ProcessRun } from './job-process.js';

let directory: string;
let pipe: OutputPipe;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'process-'));
  pipe = await OutputPipe.create(join(directory, 'pipe'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function run(script: string, options: Partial<ProcessRun> = {}): Promise<{ code: number; output: string }> {
  let output = '';
  const code = await runProcess({
    file: 'bash',
    args: ['-c', script],
    cwd: directory,
    env: { PATH: process.env['PATH'] },
    pipe,
    marker: createMarker(directory),
    onOutput: (chunk) => void (output += chunk.toString()),
    abort: new AbortController().signal,
    ...options,
  });
  return { code, output };
}

test('both streams arrive in order, whole, and may be opened again by name', async () => {
  const { code, output } = await run(
    'echo 1; echo 2 >&2; echo 3 > /dev/stderr; echo 4 | tee /dev/stderr; seq 100000 | tail -1; exit 3',
  );
  expect(code).toBe(3);
  expect(output).toBe('1\n2\n3\n4\n4\n100000\n');
});

test('the pipe serves one process after the other', async () => {
  expect((await run('echo a')).output).toBe('a\n');
  expect((await run('echo b')).output).toBe('b\n');
});

test('a signal that ends it is told as a shell tells it', async () => {
  expect((await run('kill -TERM $$')).code).toBe(143);
});

test('an abort ends also what ignores SIGTERM', async () => {
  const abort = new AbortController();
  const onOutput = () => abort.abort();
  expect(
    (await run('trap "" TERM; echo ready; while :; do sleep 1; done', { abort: abort.signal, onOutput })).code,
  ).toBe(137);
});

test('a child that keeps the pipe open does not keep the job', async () => {
  expect((await run('setsid sleep 600 & echo done')).output).toBe('done\n');
});

test('output that cannot be taken in ends the process with that error', async () => {
  const onOutput = () => {
    throw new Error('no space left on device');
  };
  await expect(run('echo x; sleep 60', { onOutput })).rejects.toThrow('no space left on device');
});

test('a program that is not there is an error', async () => {
  await expect(run('', { file: join(directory, 'no-such-program') })).rejects.toThrow('ENOENT');
});
