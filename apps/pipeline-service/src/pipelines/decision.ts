import type { Status } from '#libs/contracts';
import type { ResolvedRef } from '../repositories/repositories.js';
import type { CreationRefusal } from './creation-checks.js';
import type { PipelineOrder } from './pipeline-order.js';
import type { Plan } from './plans.repository.js';

/** A pipeline as it will be stored, but for its numbers. */
export interface PlannedPipeline {
  projectPath: string;
  resolved: ResolvedRef;
  protected: boolean;
  name: string | null;
  /** None for a pipeline that failed before it had jobs. */
  plan: Plan | null;
  status: Status;
  /** Already taken, where the configuration wanted to see it. */
  iid: number | null;
  /** Its file says something about what becomes of pipelines for older commits. */
  supersedes: boolean;
}

/** What was decided about an order: a pipeline, a refusal, or a failed pipeline that explains a refusal. */
export interface Decision {
  order: PipelineOrder;
  pipeline: PlannedPipeline | null;
  refusal: CreationRefusal | null;
  /** Pipelines per minute of one user for the commit, 0 for any number (trigger-api.md §1.9); not there where an earlier check refused. */
  rate?: { sha: string; limit: number };
}
