import { ARCHITECTURE } from './http-client.js';
import type { JobPayload, JobVariable } from './job.payload.js';
import { RUNNER_VERSION } from './version.js';
import { environmentFile, type Workspace } from './workspace.js';

/** Numbers of the place that a job runs in: among the workers, and among the jobs of its project on this runner. */
export interface JobSlot {
  worker: number;
  project: number;
}

/** The variables that the runner adds by itself; they stand before the job's own, which may override them (runner-api.md §2.7). */
export function runnerVariables(
  job: JobPayload,
  workspace: Workspace,
  slot: JobSlot,
  runner: { buildsDir: string; shortToken: string; isDocker: boolean; defaultImage: string },
): JobVariable[] {
  const image = runner.isDocker ? job.image.name || runner.defaultImage : job.image.name;
  const values: Record<string, string> = {
    CI_SERVER: 'yes',
    CI_BUILDS_DIR: runner.buildsDir,
    CI_PROJECT_DIR: workspace.project,
    CI_CONCURRENT_ID: String(slot.worker),
    CI_CONCURRENT_PROJECT_ID: String(slot.project),
    CI_JOB_STATUS: 'running',
    CI_JOB_TIMEOUT: String(job.timeoutSeconds),
    CI_RUNNER_SHORT_TOKEN: runner.shortToken,
    CI_RUNNER_VERSION: RUNNER_VERSION,
    CI_RUNNER_REVISION: RUNNER_VERSION,
    CI_RUNNER_EXECUTABLE_ARCH: `${process.platform}/${ARCHITECTURE}`,
    [runner.isDocker ? 'CI_DISPOSABLE_ENVIRONMENT' : 'CI_SHARED_ENVIRONMENT']: 'true',
    RUNNER_TEMP_PROJECT_DIR: workspace.temporary,
    GITLAB_ENV: environmentFile(workspace),
    ...(image === '' ? {} : { CI_JOB_IMAGE: image }),
  };
  return Object.entries(values).map(([key, value]) => ({ key, value, raw: true }));
}
