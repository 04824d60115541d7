import { IsArray, IsBoolean, IsIn, IsInt, IsOptional, Max, Min } from 'class-validator';
import { Nested } from './nested.decorator.js';
import type { JobFacts } from './job.js';
import { PageRequest } from './page.js';
import { Request } from './request.js';
import { Actor } from './user.js';
import { statuses, type Status } from './words.js';

/** The jobs of a pipeline, the newest first; of each name only the latest unless retried ones are asked for. */
export class ListPipelineJobs extends PageRequest<JobFacts> {
  static readonly pattern = 'job.list-of-pipeline';

  @IsInt() projectId!: number;
  @IsInt() pipelineId!: number;
  @IsOptional() @IsArray() @IsIn(statuses, { each: true }) scope?: Status[] | null;
  @IsBoolean() includeRetried!: boolean;
}

/** A page of a list whose length nobody counts. */
export interface UncountedPage<Item> {
  items: Item[];
  /** Whether something follows. */
  more: boolean;
}

/**
 * The jobs of a project, the newest first; `before` is the id from which the page goes down (keyset) and beats `page`. They are not
 * counted: a project's whole past may be a million rows (trigger-api.md §4.5).
 */
export class ListProjectJobs extends Request<UncountedPage<JobFacts>> {
  static readonly pattern = 'job.list-of-project';

  @IsInt() projectId!: number;
  @IsOptional() @IsArray() @IsIn(statuses, { each: true }) scope?: Status[] | null;
  @IsOptional() @IsInt() before?: number | null;
  @IsInt() @Min(1) page!: number;
  @IsInt() @Min(1) @Max(100) perPage!: number;
}

/** One job of a project; refused with 404 when it has none of this id. */
export class ShowJob extends Request<JobFacts> {
  static readonly pattern = 'job.show';

  @IsInt() projectId!: number;
  @IsInt() jobId!: number;
}

abstract class JobOrderRequest extends Request<JobFacts> {
  @IsInt() projectId!: number;
  @IsInt() jobId!: number;
  @Nested(() => Actor) actor!: Actor;
}

/** A finished job stays as it is, and is no refusal. */
export class CancelJob extends JobOrderRequest {
  static readonly pattern = 'job.cancel';
}

/** Answers with the new job that runs instead. Refused with 403 when the job is not retryable. */
export class RetryJob extends JobOrderRequest {
  static readonly pattern = 'job.retry';
}

/** Starts a manual or delayed job, with further variables if there are any. Refused with 400 when there is nothing to play. */
export class PlayJob extends JobOrderRequest {
  static readonly pattern = 'job.play';

  @IsArray() variables!: { key: string; value: string }[];
}

/** Forgets a finished job's log. Refused with 403 when there is nothing to erase, or for a Developer who did not start the job. */
export class EraseJob extends JobOrderRequest {
  static readonly pattern = 'job.erase';
}
