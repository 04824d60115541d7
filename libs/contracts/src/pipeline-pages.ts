import { IsIn, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import { Nested } from './nested.decorator.js';
import { pipelineScopes } from './pipeline-requests.js';
import type { LinkedPipeline, ShownJob } from './job-pages.js';
import type { PipelineFacts } from './pipeline.js';
import { Request } from './request.js';
import { Actor } from './user.js';
import { pipelineSources, statuses, type PipelineSource, type Status } from './words.js';

/** A stage of a pipeline: the latest attempts of its jobs taken together (ci-config.md §6.2). */
export interface StageFacts {
  name: string;
  status: Status;
  /** Some job of it failed, or was canceled, and may. */
  warnings: boolean;
  /** Jobs in it. */
  count: number;
}

/** A pipeline as a line of a page. */
export interface ShownPipeline extends PipelineFacts {
  commit: { title: string; authorName: string };
  /** In order; none where the configuration did not compile. */
  stages: StageFacts[];
  /** Whether there is something to cancel, or to run again, and the one who looks may. */
  cancelable: boolean;
  retryable: boolean;
}

/** A pipeline with everything that its page shows. */
export interface WholePipeline extends ShownPipeline {
  /** The pipeline whose job started it; null also when that is deleted. */
  upstream: LinkedPipeline | null;
  failureReason: string | null;
  /** All attempts of all jobs, in the order of stages, then of the file, then of time. */
  jobs: ShownJob[];
}

/** A page of a list that is counted as far as 10,000. */
export interface LongPage<Item> {
  items: Item[];
  /** Null: more than that. */
  total: number | null;
  /** Whether something follows. */
  more: boolean;
}

/** A project's pipelines, the newest first, children left out unless they are asked for by their source. */
export class ListShownPipelines extends Request<LongPage<ShownPipeline>> {
  static readonly pattern = 'pipeline-page.list';

  @IsInt() projectId!: number;
  @IsOptional() @IsIn(pipelineScopes) scope?: (typeof pipelineScopes)[number] | null;
  @IsOptional() @IsIn(statuses) status?: Status | null;
  @IsOptional() @IsIn(pipelineSources) source?: PipelineSource | null;
  @IsOptional() @IsString() ref?: string | null;
  @IsOptional() @IsInt() triggerId?: number | null;
  /** Who looks, where they may give orders about pipelines at all. */
  @IsOptional() @Nested(() => Actor) actor?: Actor | null;
  @IsInt() @Min(1) page!: number;
  @IsInt() @Min(1) @Max(100) perPage!: number;
}

/** One pipeline of a project; refused with 404 when it has none of this id. */
export class ShowWholePipeline extends Request<WholePipeline> {
  static readonly pattern = 'pipeline-page.show';

  @IsInt() projectId!: number;
  @IsInt() pipelineId!: number;
  @IsOptional() @Nested(() => Actor) actor?: Actor | null;
}
