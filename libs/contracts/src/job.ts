import { IsArray, IsBoolean, IsInt, IsOptional, IsString } from 'class-validator';
import type { ArtifactFacts } from './artifact.js';
import type { CommitFacts, PipelineFacts } from './pipeline.js';
import type { LongUserFacts } from './user.js';
import type { Status } from './words.js';

/** Everything that is told about a job; durations are seconds with fractions. */
export interface JobFacts {
  id: number;
  name: string;
  stage: string;
  status: Status;
  ref: string;
  tag: boolean;
  allowFailure: boolean;
  coverage: number | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  erasedAt: string | null;
  duration: number | null;
  queuedDuration: number | null;
  failureReason: string | null;
  user: LongUserFacts | null;
  commit: CommitFacts;
  pipeline: PipelineFacts;
  tagList: string[];
  /** Size of the stored log in bytes; null when there is none. */
  traceSize: number | null;
  /** The log may show every variable of the job, secrets too. */
  debugTrace: boolean;
  /** Those whose bytes are there. */
  artifacts: ArtifactFacts[];
  /** When the first of them goes; null when none does. */
  artifactsExpireAt: string | null;
  runner: RunnerFacts | null;
  /** The machine of the runner; null also when it was forgotten. */
  runnerManager: RunnerManagerFacts | null;
}

/** What is told about a runner beside a job. */
export interface RunnerFacts {
  id: number;
  description: string;
  ipAddress: string | null;
  paused: boolean;
  runnerType: 'instance_type' | 'project_type';
  name: string | null;
  online: boolean;
  status: 'online' | 'offline' | 'stale' | 'never_contacted';
}

/** One of the machines that use a runner's token. */
export interface RunnerManagerFacts {
  id: number;
  systemId: string;
  version: string | null;
  revision: string | null;
  platform: string | null;
  architecture: string | null;
  createdAt: string;
  contactedAt: string;
  ipAddress: string | null;
  status: RunnerFacts['status'];
  /** It has a job. */
  busy: boolean;
}

/** `job.queued.v1`: a job waits for a runner. Every gateway hears it and looks again for those whose requests it holds. */
export class JobQueued {
  static readonly type = 'job.queued.v1';
  static readonly lossy = true;

  @IsInt() jobId!: number;
  @IsInt() projectId!: number;
  @IsArray() tags!: string[];
  @IsBoolean() protected!: boolean;
}

/** `job.status-changed.v1`: for pages that watch. */
export class JobStatusChanged {
  static readonly type = 'job.status-changed.v1';
  static readonly lossy = true;

  @IsInt() jobId!: number;
  @IsInt() pipelineId!: number;
  @IsInt() projectId!: number;
  @IsString() status!: Status;
  @IsInt() version!: number;
  @IsOptional() @IsString() name?: string;
}
