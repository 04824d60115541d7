import { constants } from 'node:fs';
import { access, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { StageFailure } from '../outcome.js';
import type { Executor, ExecutorJob, StageScript } from './executor.js';

/** What comes before a script: the shell starts while the runner still waits for the coordinator's word. */
const GATE = 'IFS= read -r _ <&3 || exit 1; exec 3<&-';

/** Runs scripts in a login shell on this machine, with the rights of the runner's user: bash, or sh where there is none. */
export class ShellExecutor implements Executor {
  readonly name = 'shell';
  private shell = 'bash';

  constructor(private readonly run: ExecutorJob) {}

  async prepare(): Promise<void> {
    const { log, env } = this.run;
    const shell = await firstInstalled(['bash', 'sh'], env['PATH'] ?? '');
    if (shell === undefined) {
      throw new StageFailure('runner_system_failure', `there is neither bash nor sh in the PATH, ${env['PATH']}`);
    }
    this.shell = shell;
    log.line(`Using Shell (${shell}) executor...`);
  }

  async runScript({ name, text, endings }: StageScript): Promise<number> {
    const { workspace, env, accepted, runProgram } = this.run;
    await writeFile(join(workspace.temporary, name), `${GATE}\n${text}`, { mode: 0o600 });
    // Where the job is not wanted any more the gate stays shut until that has ended it.
    const gate = accepted.then((wanted) => (wanted ? undefined : new Promise(() => undefined)));
    return runProgram({ file: this.shell, args: ['-l', name], cwd: workspace.temporary, env, endings, gate });
  }

  async cleanUp(): Promise<void> {
    // The marker in their environment finds the processes that are left, whatever the executor.
  }
}

/** The first of some programs that the search path has. */
async function firstInstalled(names: readonly string[], searchPath: string): Promise<string | undefined> {
  for (const name of names) {
    for (const directory of searchPath.split(delimiter)) {
      const found = await access(join(directory, name), constants.X_OK).then(
        () => true,
        () => false,
      );
      if (found) return name;
    }
  }
  return undefined;
}
