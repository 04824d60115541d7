import { IsArray, IsBoolean, IsIn, IsInt, IsISO8601, IsObject, IsOptional, IsString, IsUUID } from 'class-validator';
import { Nested } from './nested.decorator.js';
import { PageRequest } from './page.js';
import type { PipelineFacts } from './pipeline.js';
import { Request } from './request.js';
import { Actor } from './user.js';
import { pipelineSources, statuses, type PipelineSource, type Status, type VariableType } from './words.js';

export const pipelineScopes = ['running', 'pending', 'finished', 'branches', 'tags'] as const;
export const pipelineOrders = ['id', 'status', 'ref', 'updated_at', 'user_id'] as const;

/** A project's pipelines that fit all the given filters (trigger-api.md §4.1). */
export class ListPipelines extends PageRequest<PipelineFacts> {
  static readonly pattern = 'pipeline.list';

  @IsInt() projectId!: number;
  @IsOptional() @IsIn(pipelineScopes) scope?: (typeof pipelineScopes)[number] | null;
  @IsOptional() @IsIn(statuses) status?: Status | null;
  @IsOptional() @IsIn(pipelineSources) source?: PipelineSource | null;
  @IsOptional() @IsString() ref?: string | null;
  @IsOptional() @IsString() sha?: string | null;
  @IsOptional() @IsString() username?: string | null;
  @IsOptional() @IsString() name?: string | null;
  @IsOptional() @IsBoolean() yamlErrors?: boolean | null;
  @IsOptional() @IsISO8601() updatedAfter?: string | null;
  @IsOptional() @IsISO8601() updatedBefore?: string | null;
  @IsOptional() @IsISO8601() createdAfter?: string | null;
  @IsOptional() @IsISO8601() createdBefore?: string | null;
  @IsIn(pipelineOrders) orderBy!: (typeof pipelineOrders)[number];
  @IsIn(['asc', 'desc']) sort!: 'asc' | 'desc';
}

/** One pipeline of a project; refused with 404 when it has none of this id. */
export class ShowPipeline extends Request<PipelineFacts> {
  static readonly pattern = 'pipeline.show';

  @IsInt() projectId!: number;
  @IsInt() pipelineId!: number;
}

/** The newest pipeline of the commit that a ref points to now; refused with 403 when that commit has none (trigger-api.md §4.1). */
export class ShowLatestPipeline extends Request<PipelineFacts> {
  static readonly pattern = 'pipeline.show-latest';

  @IsInt() projectId!: number;
  /** Null: the default branch. */
  @IsOptional() @IsString() ref?: string | null;
}

/** A variable as it was given to a pipeline. */
export interface PipelineVariableFacts {
  key: string;
  value: string;
  type: VariableType;
  /** Whether dollar signs in the value stand for themselves. */
  raw?: boolean;
}

/** The variables of a pipeline as stored: a Developer sees those of pipelines they started (trigger-api.md §3.3). */
export class ShowPipelineVariables extends Request<PipelineVariableFacts[]> {
  static readonly pattern = 'pipeline.show-variables';

  @IsInt() projectId!: number;
  @IsInt() pipelineId!: number;
  @Nested(() => Actor) actor!: Actor;
}

/** `POST /projects/:id/pipeline`. Refused with 400 whatever is wrong. The same `requestId` creates one pipeline. */
export class CreatePipeline extends Request<PipelineFacts> {
  static readonly pattern = 'pipeline.create';

  @IsUUID() requestId!: string;
  @IsInt() projectId!: number;
  @IsString() ref!: string;
  @IsArray() variables!: PipelineVariableFacts[];
  @IsOptional() @IsObject() inputs?: Record<string, unknown>;
  @Nested(() => Actor) actor!: Actor;
  @IsISO8601() receivedAt!: string;
}

/** Orders that somebody gives about one pipeline. Refused with 403 where the actor may not push to the protected ref. */
abstract class PipelineOrderRequest<Reply> extends Request<Reply> {
  @IsInt() projectId!: number;
  @IsInt() pipelineId!: number;
  @Nested(() => Actor) actor!: Actor;
}

/** Stops what runs and cancels what waits; manual jobs stay manual (architecture.md §4). */
export class CancelPipeline extends PipelineOrderRequest<PipelineFacts> {
  static readonly pattern = 'pipeline.cancel';
}

/** Runs what failed or was canceled again, and what was skipped for it. */
export class RetryPipeline extends PipelineOrderRequest<PipelineFacts> {
  static readonly pattern = 'pipeline.retry';
}

/** Gives a pipeline another name. */
export class RenamePipeline extends PipelineOrderRequest<PipelineFacts> {
  static readonly pattern = 'pipeline.rename';

  @IsString() name!: string;
}

/** Removes a pipeline with its jobs; what runs is canceled first. Refused with 412 when it was changed after `unmodifiedSince`. */
export class DeletePipeline extends PipelineOrderRequest<{ jobsWithLogs: number[] }> {
  static readonly pattern = 'pipeline.delete';

  @IsOptional() @IsISO8601() unmodifiedSince?: string | null;
}
