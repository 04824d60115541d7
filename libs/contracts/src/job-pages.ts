import { IsArray, IsBoolean, IsIn, IsInt, IsOptional, Max, Min } from 'class-validator';
import type { UncountedPage } from './job-requests.js';
import { Nested } from './nested.decorator.js';
import type { PipelineFacts } from './pipeline.js';
import { Request } from './request.js';
import { Actor, type UserFacts } from './user.js';
import { statuses, type Status } from './words.js';

/** The other end of a trigger job. */
export interface LinkedPipeline {
  id: number;
  projectId: number;
  projectPath: string;
  status: Status;
}

/** A job as a page draws it; durations are seconds with fractions, until now for what has not ended. */
export interface ShownJob {
  id: number;
  name: string;
  stage: string;
  status: Status;
  allowFailure: boolean;
  when: 'on_success' | 'on_failure' | 'always' | 'manual' | 'delayed';
  /** Names of the jobs that it waits for; see `scheduling`. */
  needs: string[];
  /** `stage`: it waits for all earlier stages. `dag`: for its needs alone. */
  scheduling: 'stage' | 'dag';
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  /** When a delayed job begins. */
  scheduledAt: string | null;
  duration: number | null;
  queuedDuration: number | null;
  /** Another attempt was made, and this one counts no more. */
  retried: boolean;
  /** It stands for another pipeline, and has no log. */
  bridge: boolean;
  /** What the one who looks can do with it. */
  playable: boolean;
  retryable: boolean;
  cancelable: boolean;
  tags: string[];
  /** `url`: null also while its variables are not known, and where it is none of HTTP. */
  environment: { name: string; url: string | null; action: string | null } | null;
  resourceGroup: string | null;
  failureReason: string | null;
  runner: { id: number; description: string } | null;
  /** The pipeline that it stands for; null before that is there, and once it is deleted. */
  downstream: LinkedPipeline | null;
}

/** A job as a line of a page. */
export interface ListedJob extends ShownJob {
  pipeline: Pick<PipelineFacts, 'id' | 'projectPath' | 'ref' | 'tag' | 'sha' | 'source' | 'trigger'>;
  /** Who started it. */
  user: UserFacts | null;
}

/** A project's jobs, all attempts of them, the newest first; those that stand for other pipelines are shown with theirs alone. */
export class ListShownJobs extends Request<UncountedPage<ListedJob>> {
  static readonly pattern = 'job-page.list';

  @IsInt() projectId!: number;
  @IsOptional() @IsArray() @IsIn(statuses, { each: true }) scope?: Status[] | null;
  /** Whether a trigger started their pipelines. */
  @IsOptional() @IsBoolean() triggered?: boolean | null;
  /** Who looks, where they may give orders about jobs at all. */
  @IsOptional() @Nested(() => Actor) actor?: Actor | null;
  @IsInt() @Min(1) page!: number;
  @IsInt() @Min(1) @Max(100) perPage!: number;
}
