import { ApiProperty } from '@nestjs/swagger';
import { type PipelineFacts, pipelineSources, statuses } from '#libs/contracts';
import { presentUser, ShortUserResponse } from '../users/user.response.js';
import { DetailedStatus, detailedStatus } from './detailed-status.js';

const time = { type: 'string', format: 'date-time' } as const;

/** GitLab's *basic* pipeline (trigger-api.md §4.2). */
export class BasicPipelineResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty({ type: 'integer' }) iid!: number;
  @ApiProperty({ type: 'integer' }) project_id!: number;
  @ApiProperty() sha!: string;
  @ApiProperty() ref!: string;
  @ApiProperty({ enum: statuses }) status!: string;
  @ApiProperty({ enum: pipelineSources }) source!: string;
  @ApiProperty(time) created_at!: string;
  @ApiProperty(time) updated_at!: string;
  @ApiProperty() web_url!: string;
}

export class ListedPipelineResponse extends BasicPipelineResponse {
  @ApiProperty({ type: 'string', nullable: true }) name!: string | null;
}

/** GitLab's *detail* pipeline. */
export class PipelineResponse extends BasicPipelineResponse {
  @ApiProperty() before_sha!: string;
  @ApiProperty() tag!: boolean;
  @ApiProperty({ type: 'string', nullable: true }) yaml_errors!: string | null;
  @ApiProperty({ type: ShortUserResponse, nullable: true }) user!: ShortUserResponse | null;
  @ApiProperty({ ...time, nullable: true }) started_at!: string | null;
  @ApiProperty({ ...time, nullable: true }) finished_at!: string | null;
  @ApiProperty({ ...time, nullable: true }) committed_at!: string | null;
  @ApiProperty({ type: 'integer', nullable: true, description: 'Seconds' }) duration!: number | null;
  @ApiProperty({ type: 'integer', nullable: true, description: 'Seconds' }) queued_duration!: number | null;
  @ApiProperty({ type: 'string', nullable: true, example: '98.29' }) coverage!: string | null;
  @ApiProperty({ type: DetailedStatus }) detailed_status!: DetailedStatus;
  @ApiProperty() archived!: boolean;
}

export class NamedPipelineResponse extends PipelineResponse {
  @ApiProperty({ type: 'string', nullable: true }) name!: string | null;
}

export function presentBasicPipeline(facts: PipelineFacts, externalUrl: string): BasicPipelineResponse {
  return {
    id: facts.id,
    iid: facts.iid,
    project_id: facts.projectId,
    sha: facts.sha,
    ref: facts.ref,
    status: facts.status,
    source: facts.source,
    created_at: facts.createdAt,
    updated_at: facts.updatedAt,
    web_url: externalUrl + pipelinePath(facts),
  };
}

export function presentListedPipeline(facts: PipelineFacts, externalUrl: string): ListedPipelineResponse {
  return { ...presentBasicPipeline(facts, externalUrl), name: facts.name };
}

export function presentPipeline(facts: PipelineFacts, externalUrl: string): PipelineResponse {
  return {
    ...presentBasicPipeline(facts, externalUrl),
    before_sha: facts.beforeSha,
    tag: facts.tag,
    yaml_errors: facts.yamlErrors,
    user: facts.user && presentUser(facts.user, externalUrl),
    started_at: facts.startedAt,
    finished_at: facts.finishedAt,
    committed_at: facts.committedAt,
    duration: facts.duration,
    queued_duration: facts.queuedDuration,
    coverage: facts.coverage === null ? null : facts.coverage.toFixed(2),
    detailed_status: detailedStatus(facts.status, facts.warnings, pathOf(externalUrl) + pipelinePath(facts)),
    archived: facts.archived,
  };
}

export function presentNamedPipeline(facts: PipelineFacts, externalUrl: string): NamedPipelineResponse {
  return { ...presentPipeline(facts, externalUrl), name: facts.name };
}

/** What stands before paths where the installation does not have a host for itself. */
function pathOf(externalUrl: string): string {
  return /^\w+:\/\/[^/]+(\/.*[^/])?\/?$/.exec(externalUrl)?.[1] ?? '';
}

function pipelinePath({ projectPath, id }: PipelineFacts): string {
  return `/${projectPath}/-/pipelines/${id}`;
}
