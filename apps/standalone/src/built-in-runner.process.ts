import { Runner, type RunnerOptions } from '../../runner/src/runner.js';

/** What this process is told: once how to run, then when to stop. */
export type RunnerOrder = { run: RunnerSettings } | { stopMs: number };

/** What it tells: lines for the operator. */
export interface RunnerReport {
  line: string;
}

/** Of a runner's options, those that can be sent. */
export type RunnerSettings = Pick<RunnerOptions, 'url' | 'token' | 'buildsDir' | 'concurrency' | 'name'>;

/** The runner of a parent that was killed takes so long at most to end its jobs. */
const predecessorMs = 20_000;

let runner: Runner | undefined;

async function run(settings: RunnerSettings): Promise<void> {
  runner = new Runner({ ...settings, predecessorMs, say });
  runner.start();
  // The runner itself has said why it ended.
  await runner.finished().catch(() => (process.exitCode = 1));
  process.disconnect?.();
}

/** Without a parent there is nobody to tell. */
function say(line: string): void {
  if (process.connected) process.send?.({ line } satisfies RunnerReport, () => undefined);
}

process.on('message', (order: RunnerOrder) => {
  if ('run' in order) void run(order.run);
  else void runner?.stop(order.stopMs);
});
// Jobs that still run when the parent has gone cannot be reported any more: nothing of them is to stay behind.
process.on('disconnect', () => void runner?.stop(0));
// A Ctrl-C reaches all processes of a terminal; when jobs end is the parent's business.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
