import type { JobWhen, Scheduling } from '../job.js';
import { statusOfSet, statusSet, type Status, type StatusSet } from './composite-status.js';

/** What processing looks at: the latest attempt of a job. */
export interface ProcessableJob {
  name: string;
  status: Status;
  when: JobWhen;
  stageIdx: number;
  scheduling: Scheduling;
  /** Names; those that are not in the list do not count. */
  needs: readonly string[];
  allowFailure: boolean;
}

/** Statuses of the jobs before, with which a created job goes on (ci-config.md §6.3); with others that end, it is skipped. */
const proceedsOn: Record<Scheduling, Record<JobWhen, readonly Status[]>> = {
  stage: {
    on_success: ['success', 'skipped'],
    manual: ['success', 'skipped'],
    delayed: ['success', 'skipped'],
    on_failure: ['failed'],
    always: ['success', 'failed', 'skipped'],
  },
  dag: {
    on_success: ['success'],
    manual: ['success'],
    delayed: ['success'],
    on_failure: ['failed'],
    always: ['success', 'failed', 'skipped'],
  },
};

const decided: readonly Status[] = ['success', 'failed', 'canceled', 'skipped'];

/**
 * The `created` jobs of a pipeline that move now, by name, and where to: `pending`, `manual`, `scheduled` or `skipped`. Give all
 * latest jobs; what one move makes possible is in the answer too. The caller serialises per pipeline, starts the clock of
 * `scheduled` ones and sends `pending` ones through their resource group. Source: ci-config.md §6.3.
 */
export function nextStatuses(jobs: readonly ProcessableJob[]): Map<string, Status> {
  const moved = new Map<string, Status>();
  const byName = new Map(jobs.map((job) => [job.name, job]));
  const inOrder = inOrderOfDecision(jobs, byName);
  const setOf = (job: ProcessableJob) =>
    statusSet({ status: moved.get(job.name) ?? job.status, allowFailure: job.allowFailure });
  let stable = false;
  // Jobs decide only on what has ended, so the order matters for speed alone; passes repeat until nothing moves.
  while (!stable) {
    stable = true;
    let earlier: StatusSet = 0;
    let sameStage: StatusSet = 0;
    let stageIdx = -1;
    for (const job of inOrder) {
      if (job.stageIdx !== stageIdx) {
        earlier |= sameStage;
        sameStage = 0;
        stageIdx = job.stageIdx;
      }
      if (job.status === 'created' && !moved.has(job.name)) {
        const next = nextStatus(job, job.scheduling === 'dag' ? setOfNeeds(job, byName, setOf) : earlier);
        if (next) {
          moved.set(job.name, next);
          stable = false;
        }
      }
      sameStage |= setOf(job);
    }
  }
  return moved;
}

/** By stage, inside a stage after the jobs that are needed: then one pass decides everything, and a second one finds nothing. */
function inOrderOfDecision(
  jobs: readonly ProcessableJob[],
  byName: ReadonlyMap<string, ProcessableJob>,
): ProcessableJob[] {
  const byStage = jobs.toSorted((a, b) => a.stageIdx - b.stageIdx);
  if (byStage.every((job) => job.needs.length === 0)) return byStage;
  const ordered = new Set<ProcessableJob>();
  const visited = new Set<ProcessableJob>();
  for (const start of byStage) {
    // With a stack of its own: a chain of needs may be as long as the pipeline.
    const stack = [start];
    for (let job = stack.at(-1); job; job = stack.at(-1)) {
      const first = !visited.has(job);
      visited.add(job);
      const { stageIdx } = job;
      const open = first ? job.needs.map((name) => byName.get(name)).filter((need) => need !== undefined) : [];
      const sooner = open.filter((need) => need.stageIdx === stageIdx && !visited.has(need));
      if (sooner.length > 0) stack.push(...sooner);
      else ordered.add(stack.pop() as ProcessableJob);
    }
  }
  return [...ordered];
}

function setOfNeeds(
  job: ProcessableJob,
  byName: ReadonlyMap<string, ProcessableJob>,
  setOf: (job: ProcessableJob) => StatusSet,
): StatusSet {
  let set: StatusSet = 0;
  for (const name of job.needs) {
    const need = byName.get(name);
    if (need) set |= setOf(need);
  }
  return set;
}

function nextStatus(job: ProcessableJob, before: StatusSet): Status | null {
  const previous = statusOfSet(before, job.scheduling === 'dag') ?? 'success';
  if (!decided.includes(previous)) return null;
  if (!proceedsOn[job.scheduling][job.when].includes(previous)) return 'skipped';
  if (job.when === 'manual') return 'manual';
  return job.when === 'delayed' ? 'scheduled' : 'pending';
}
