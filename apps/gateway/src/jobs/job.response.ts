import { ApiProperty } from '@nestjs/swagger';
import { type ArtifactFacts, type CommitFacts, type JobFacts, type RunnerFacts, statuses } from '#libs/contracts';
import { BasicPipelineResponse, presentBasicPipeline } from '../pipelines/pipeline.response.js';
import { presentRunnerManager, RunnerManagerResponse } from '../runners/runner-manager.response.js';
import { LongUserResponse, presentLongUser } from '../users/user.response.js';

const time = { type: 'string', format: 'date-time' } as const;
const shortId = 8;

export class CommitResponse {
  @ApiProperty() id!: string;
  @ApiProperty() short_id!: string;
  @ApiProperty(time) created_at!: string;
  @ApiProperty({ type: [String] }) parent_ids!: string[];
  @ApiProperty() title!: string;
  @ApiProperty() message!: string;
  @ApiProperty() author_name!: string;
  @ApiProperty() author_email!: string;
  @ApiProperty(time) authored_date!: string;
  @ApiProperty() committer_name!: string;
  @ApiProperty() committer_email!: string;
  @ApiProperty(time) committed_date!: string;
  @ApiProperty({ type: 'object', additionalProperties: true }) trailers!: object;
  @ApiProperty({ type: 'object', additionalProperties: true }) extended_trailers!: object;
  @ApiProperty() web_url!: string;
}

export class JobRunnerResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() description!: string;
  @ApiProperty({ type: 'string', nullable: true }) ip_address!: string | null;
  @ApiProperty() active!: boolean;
  @ApiProperty() paused!: boolean;
  @ApiProperty() is_shared!: boolean;
  @ApiProperty({ enum: ['instance_type', 'project_type'] }) runner_type!: string;
  @ApiProperty({ type: 'string', nullable: true }) name!: string | null;
  @ApiProperty() online!: boolean;
  @ApiProperty({ enum: ['online', 'offline', 'stale', 'never_contacted'] }) status!: string;
}

class JobProjectResponse {
  @ApiProperty() ci_job_token_scope_enabled!: boolean;
}

class JobArtifactResponse {
  @ApiProperty({ example: 'trace' }) file_type!: string;
  @ApiProperty({ type: 'integer', description: 'Bytes' }) size!: number;
  @ApiProperty({ example: 'job.log' }) filename!: string;
  @ApiProperty({ type: 'string', nullable: true }) file_format!: string | null;
}

class ArtifactsFileResponse {
  @ApiProperty() filename!: string;
  @ApiProperty({ type: 'integer', description: 'Bytes' }) size!: number;
}

/** A job, field for field in GitLab's order (trigger-api.md §4.6). */
export class JobResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty({ enum: statuses }) status!: string;
  @ApiProperty() stage!: string;
  @ApiProperty() name!: string;
  @ApiProperty() ref!: string;
  @ApiProperty() tag!: boolean;
  @ApiProperty({ type: 'number', nullable: true }) coverage!: number | null;
  @ApiProperty() allow_failure!: boolean;
  @ApiProperty(time) created_at!: string;
  @ApiProperty({ ...time, nullable: true }) started_at!: string | null;
  @ApiProperty({ ...time, nullable: true }) finished_at!: string | null;
  @ApiProperty({ ...time, nullable: true }) erased_at!: string | null;
  @ApiProperty({ type: 'number', nullable: true, description: 'Seconds' }) duration!: number | null;
  @ApiProperty({ type: 'number', nullable: true, description: 'Seconds' }) queued_duration!: number | null;
  @ApiProperty({ type: LongUserResponse, nullable: true }) user!: LongUserResponse | null;
  @ApiProperty({ type: CommitResponse }) commit!: CommitResponse;
  @ApiProperty({ type: BasicPipelineResponse }) pipeline!: BasicPipelineResponse;
  @ApiProperty({ required: false, description: 'Only of a failed job', example: 'script_failure' })
  failure_reason?: string;
  @ApiProperty() web_url!: string;
  @ApiProperty({ type: JobProjectResponse }) project!: JobProjectResponse;
  @ApiProperty({ type: ArtifactsFileResponse, required: false, description: 'Only where there is an archive' })
  artifacts_file?: ArtifactsFileResponse;
  @ApiProperty({ type: [JobArtifactResponse] }) artifacts!: JobArtifactResponse[];
  @ApiProperty({ type: JobRunnerResponse, nullable: true }) runner!: JobRunnerResponse | null;
  @ApiProperty({ type: RunnerManagerResponse, nullable: true }) runner_manager!: RunnerManagerResponse | null;
  @ApiProperty({ ...time, nullable: true }) artifacts_expire_at!: string | null;
  @ApiProperty() archived!: boolean;
  @ApiProperty({ type: [String] }) tag_list!: string[];
}

/** @param externalUrl without a slash at the end */
export function presentJob(facts: JobFacts, externalUrl: string): JobResponse {
  const projectUrl = `${externalUrl}/${facts.pipeline.projectPath}`;
  const archive = facts.artifacts.find(({ type }) => type === 'archive');
  return {
    id: facts.id,
    status: facts.status,
    stage: facts.stage,
    name: facts.name,
    ref: facts.ref,
    tag: facts.tag,
    coverage: facts.coverage,
    allow_failure: facts.allowFailure,
    created_at: facts.createdAt,
    started_at: facts.startedAt,
    finished_at: facts.finishedAt,
    erased_at: facts.erasedAt,
    duration: facts.duration,
    queued_duration: facts.queuedDuration,
    user: facts.user && presentLongUser(facts.user, externalUrl),
    commit: presentCommit(facts.commit, projectUrl),
    pipeline: presentBasicPipeline(facts.pipeline, externalUrl),
    ...(facts.status === 'failed' ? { failure_reason: facts.failureReason ?? 'unknown_failure' } : {}),
    web_url: `${projectUrl}/-/jobs/${facts.id}`,
    project: { ci_job_token_scope_enabled: false },
    ...(archive && { artifacts_file: { filename: archive.filename, size: archive.size } }),
    artifacts: [
      ...facts.artifacts.map(presentArtifact),
      ...(facts.traceSize === null ? [] : [storedLog(facts.traceSize)]),
    ],
    runner: facts.runner && presentRunner(facts.runner),
    runner_manager: facts.runnerManager && presentRunnerManager(facts.runnerManager),
    artifacts_expire_at: facts.artifactsExpireAt,
    archived: facts.pipeline.archived,
    tag_list: facts.tagList,
  };
}

function presentCommit(facts: CommitFacts, projectUrl: string): CommitResponse {
  return {
    id: facts.sha,
    short_id: facts.sha.slice(0, shortId),
    created_at: facts.committedAt,
    parent_ids: facts.parentIds,
    title: facts.message.split('\n', 1)[0]?.trim() ?? '',
    message: facts.message,
    author_name: facts.authorName,
    author_email: facts.authorEmail,
    authored_date: facts.authoredAt,
    committer_name: facts.committerName,
    committer_email: facts.committerEmail,
    committed_date: facts.committedAt,
    trailers: {},
    extended_trailers: {},
    web_url: `${projectUrl}/-/commit/${facts.sha}`,
  };
}

function presentArtifact({ type, format, filename, size }: ArtifactFacts): JobArtifactResponse {
  return { file_type: type, size, filename, file_format: format };
}

/** The log counts as an artifact. */
function storedLog(size: number): JobArtifactResponse {
  return { file_type: 'trace', size, filename: 'job.log', file_format: null };
}

function presentRunner(facts: RunnerFacts): JobRunnerResponse {
  return {
    id: facts.id,
    description: facts.description,
    ip_address: facts.ipAddress,
    active: !facts.paused,
    paused: facts.paused,
    is_shared: facts.runnerType === 'instance_type',
    runner_type: facts.runnerType,
    name: facts.name,
    online: facts.online,
    status: facts.status,
  };
}
