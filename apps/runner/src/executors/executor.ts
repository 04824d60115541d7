import type { JobLog } from '../job-log.js';
import type { JobMarker } from '../job-marker.js';
import type { ProcessEnding } from '../job-process.js';
import type { JobPayload } from '../job.payload.js';
import type { ReadyVariable } from '../variables.js';
import type { Workspace } from '../workspace.js';

/** Where the scripts of a job run. Sources, caches and artifacts are the runner's own work, in the same directory, for every executor. */
export interface Executor {
  readonly name: string;

  /**
   * Gets ready to run scripts, and says in the log what in. Called once, first.
   * @throws {StageFailure} when the job cannot run here
   */
  prepare(): Promise<void>;

  /** Runs a script in a fresh shell and returns its exit code. When it returns, the script's processes have ended. */
  runScript(script: StageScript): Promise<number>;

  /** Ends what is left of the job. Called once, last, also when `prepare` failed. */
  cleanUp(): Promise<void>;
}

export interface StageScript {
  /** Of the stage; a file name. The shell's own messages begin with it: "step_script: line 90: make: command not found". */
  name: string;
  text: string;
  endings: readonly ProcessEnding[];
}

/** A program of the job's, with its output in the job's log. */
export interface JobProgram {
  file: string;
  args: readonly string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  endings: readonly ProcessEnding[];
  /** See `ProcessRun`. */
  gate?: Promise<unknown>;
}

/** What an executor is given of the job. */
export interface ExecutorJob {
  job: JobPayload;
  workspace: Workspace;
  variables: readonly ReadyVariable[];
  /** What the job's processes inherit on this machine. */
  env: NodeJS.ProcessEnv;
  log: JobLog;
  marker: JobMarker;
  /** Whether the coordinator, once it has answered, still wants the job run. Nothing of the job's own may run before, or where it does not. */
  accepted: Promise<boolean>;
  /** The job is not to go on: what gets ready for it may stop. */
  ending: AbortSignal;
  runProgram(program: JobProgram): Promise<number>;
}
