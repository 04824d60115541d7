import { compositeStatus } from '#libs/ci-config';
import type { Actor, StageFacts, Status } from '#libs/contracts';
import { cancelable } from '../pipelines/job.status.js';
import { protectedRef, type ProtectionRules } from '../protected-refs/protected-ref.js';

/** Jobs of a stage that are alike; of each job the latest attempt. */
export interface JobOfStage {
  stage: string;
  status: Status;
  allowFailure: boolean;
  count: number;
}

/** The stages that jobs are in, in the order of the jobs. Pure. */
export function stagesOf(jobs: readonly JobOfStage[]): StageFacts[] {
  const stages = new Map<string, JobOfStage[]>();
  for (const job of jobs) stages.set(job.stage, [...(stages.get(job.stage) ?? []), job]);
  return [...stages].map(([name, inside]) => ({
    name,
    status: compositeStatus(inside) ?? 'success',
    warnings: inside.some(({ status, allowFailure }) => allowFailure && (status === 'failed' || status === 'canceled')),
    count: inside.reduce((sum, { count }) => sum + count, 0),
  }));
}

/** What can be done with a pipeline of these jobs by somebody who may give orders about it, or may not. Pure. */
export function wishes(jobs: readonly JobOfStage[], mayRun: boolean): { cancelable: boolean; retryable: boolean } {
  return {
    cancelable: mayRun && jobs.some(({ status }) => cancelable.includes(status)),
    retryable: mayRun && jobs.some(({ status }) => status === 'failed' || status === 'canceled'),
  };
}

/** Whether somebody, or nobody, may start and stop jobs of a ref; see `checkMayRun`. Pure. */
export function mayOrder(
  actor: Actor | null,
  { ref, tag }: { ref: string; tag: boolean },
  protection: ProtectionRules,
): boolean {
  return (
    actor !== null && protectedRef(protection, tag ? 'tag' : 'branch', ref).allowed(actor.accessLevel, actor.admin)
  );
}
