import type { Program } from './program.js';

interface RunningTest {
  errors: unknown[];
}

/** Prints the logs of programs after a test of this file that failed: what went wrong is seldom said by the test itself. */
export function printLogsOfFailures(programs: () => readonly Program[]): void {
  afterEach(() => {
    if (!hasFailed()) return;
    const logs = programs().map(
      ({ name, running, lastLines }) => `--- ${name}${running ? '' : ' (ended)'}\n${lastLines}`,
    );
    process.stderr.write(`\n=== ${expect.getState().currentTestName}\n${logs.join('\n')}\n`);
  });
}

/** Jest's runner tells its hooks nothing about the test; its state does. */
function hasFailed(): boolean {
  const key = Object.getOwnPropertySymbols(globalThis).find((symbol) => symbol.description === 'JEST_STATE_SYMBOL');
  const state = key && (globalThis as unknown as Record<symbol, { currentlyRunningTest?: RunningTest }>)[key];
  return (state?.currentlyRunningTest?.errors.length ?? 0) > 0;
}
