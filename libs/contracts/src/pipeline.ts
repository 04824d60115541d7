import { IsInt, IsISO8601, IsObject, IsOptional, IsString } from 'class-validator';
import type { UserFacts } from './user.js';
import type { PipelineSource, Status, TriggerChannel } from './words.js';

/** A commit as git tells it; times are ISO 8601 with the offset that git recorded. */
export interface CommitFacts {
  sha: string;
  parentIds: string[];
  message: string;
  authorName: string;
  authorEmail: string;
  authoredAt: string;
  committerName: string;
  committerEmail: string;
  committedAt: string;
}

/** Everything that is told about a pipeline; times are ISO 8601 in UTC with milliseconds, durations whole seconds. */
export interface PipelineFacts {
  id: number;
  iid: number;
  projectId: number;
  projectPath: string;
  sha: string;
  beforeSha: string;
  ref: string;
  tag: boolean;
  status: Status;
  /** True when it succeeded although jobs that may fail did. */
  warnings: boolean;
  source: PipelineSource;
  name: string | null;
  yamlErrors: string | null;
  user: UserFacts | null;
  createdAt: string;
  updatedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  committedAt: string | null;
  duration: number | null;
  queuedDuration: number | null;
  coverage: number | null;
  archived: boolean;
  /** Which trigger started it, and how it was called. */
  trigger: { id: number; shortToken: string; channel: TriggerChannel } | null;
}

/** `pipeline.created.v1`, from the pipeline service's outbox. */
export class PipelineCreated {
  static readonly type = 'pipeline.created.v1';

  @IsInt() pipelineId!: number;
  @IsInt() projectId!: number;
  @IsOptional() @IsInt() triggerId?: number | null;
  @IsISO8601() createdAt!: string;
  /** Which it begins with; pages that watch show it before they have asked. */
  @IsOptional() @IsString() status?: Status;
}

/** `pipeline.supersedes.v1`: a pipeline was created whose file says what becomes of those for older commits of its ref. */
export class PipelineSupersedes {
  static readonly type = 'pipeline.supersedes.v1';

  @IsInt() pipelineId!: number;
}

/**
 * `pipeline.deleted.v1`; `latest` is the newest pipeline that the same trigger still has (trigger-api.md §2.4). Of two deletions that come in reverse order,
 * `order` tells which one knows better: it grows with each of a trigger's.
 */
export class PipelineDeleted {
  static readonly type = 'pipeline.deleted.v1';

  @IsInt() pipelineId!: number;
  @IsInt() projectId!: number;
  @IsOptional() @IsInt() triggerId?: number | null;
  @IsOptional() @IsObject() latest?: { pipelineId: number; createdAt: string } | null;
  @IsInt() order!: number;
}

/** `pipeline.status-changed.v1`: for pages that watch; `version` grows with each change, so that an older one can be dropped. */
export class PipelineStatusChanged {
  static readonly type = 'pipeline.status-changed.v1';
  static readonly lossy = true;

  @IsInt() pipelineId!: number;
  @IsInt() projectId!: number;
  @IsString() status!: Status;
  @IsInt() version!: number;
}
