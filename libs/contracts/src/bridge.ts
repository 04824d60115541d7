import { IsArray, IsIn, IsInt, IsOptional } from 'class-validator';
import type { JobFacts } from './job.js';
import { PageRequest } from './page.js';
import type { PipelineFacts } from './pipeline.js';
import { statuses, type Status } from './words.js';

/**
 * `bridge.due.v1`: the turn of a job that stands for another pipeline has come, or that pipeline has ended or goes on again. Whoever hears it
 * looks at both and does what is to be done, so hearing it twice, or late, is no fault.
 */
export class BridgeDue {
  static readonly type = 'bridge.due.v1';

  @IsInt() jobId!: number;
}

/** A job that stands for another pipeline. */
export interface BridgeFacts extends JobFacts {
  /** The pipeline that it started; null before, where there is none, and once that is deleted. */
  downstreamPipeline: PipelineFacts | null;
}

/** The jobs of a pipeline that stand for other pipelines, the newest first, the latest of each name. */
export class ListBridges extends PageRequest<BridgeFacts> {
  static readonly pattern = 'bridge.list';

  @IsInt() projectId!: number;
  @IsInt() pipelineId!: number;
  @IsOptional() @IsArray() @IsIn(statuses, { each: true }) scope?: Status[] | null;
}
