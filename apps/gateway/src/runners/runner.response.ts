import { ApiProperty } from '@nestjs/swagger';
import { runnerAccessLevels, type RunnerDetails, type RunnerJob, runnerStatuses, runnerTypes } from '#libs/contracts';
import { JobResponse, presentJob } from '../jobs/job.response.js';
import { presentUser, ShortUserResponse } from '../users/user.response.js';

const text = { type: 'string', nullable: true } as const;
const time = { type: 'string', format: 'date-time' } as const;

/** A token that is told this once. */
export class NewTokenResponse {
  @ApiProperty() token!: string;
  @ApiProperty({ ...time, nullable: true }) token_expires_at!: null;
}

export class RunnerTokenResponse extends NewTokenResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
}

export class RunnerResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() description!: string;
  @ApiProperty(text) ip_address!: string | null;
  @ApiProperty() active!: boolean;
  @ApiProperty() paused!: boolean;
  @ApiProperty() is_shared!: boolean;
  @ApiProperty({ enum: runnerTypes }) runner_type!: string;
  @ApiProperty(text) name!: string | null;
  @ApiProperty() online!: boolean;
  @ApiProperty({ ...time }) created_at!: string;
  @ApiProperty({ type: ShortUserResponse, nullable: true }) created_by!: ShortUserResponse | null;
  @ApiProperty({ enum: runnerStatuses }) status!: string;
  @ApiProperty({ enum: ['active', 'idle'] }) job_execution_status!: string;
}

class RunnerProjectResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() name!: string;
  @ApiProperty() name_with_namespace!: string;
  @ApiProperty() path!: string;
  @ApiProperty() path_with_namespace!: string;
}

export class RunnerDetailsResponse extends RunnerResponse {
  @ApiProperty({ type: [String] }) tag_list!: string[];
  @ApiProperty() run_untagged!: boolean;
  @ApiProperty() locked!: boolean;
  @ApiProperty({ type: 'integer', nullable: true, description: 'Seconds' }) maximum_timeout!: number | null;
  @ApiProperty({ enum: runnerAccessLevels }) access_level!: string;
  @ApiProperty(text) version!: string | null;
  @ApiProperty(text) revision!: string | null;
  @ApiProperty(text) platform!: string | null;
  @ApiProperty(text) architecture!: string | null;
  @ApiProperty({ ...time, nullable: true }) contacted_at!: string | null;
  @ApiProperty(text) maintenance_note!: string | null;
  @ApiProperty({ type: [RunnerProjectResponse] }) projects!: RunnerProjectResponse[];
  @ApiProperty({ type: 'array', items: { type: 'object' }, description: 'There are no group runners' })
  groups!: object[];
}

class JobOfProjectResponse extends RunnerProjectResponse {
  @ApiProperty() ci_job_token_scope_enabled!: boolean;
  @ApiProperty(text) description!: string | null;
  @ApiProperty(time) created_at!: string;
}

/** A job of a runner, which also says whose it is. */
export class RunnerJobResponse extends JobResponse {
  @ApiProperty({ type: JobOfProjectResponse }) declare project: JobOfProjectResponse;
}

export function presentRunner(facts: RunnerDetails, externalUrl: string): RunnerResponse {
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
    created_at: facts.createdAt,
    created_by: facts.createdBy && presentUser(facts.createdBy, externalUrl),
    status: facts.status,
    job_execution_status: facts.busy ? 'active' : 'idle',
  };
}

export function presentRunnerDetails(facts: RunnerDetails, externalUrl: string): RunnerDetailsResponse {
  return {
    ...presentRunner(facts, externalUrl),
    tag_list: facts.tagList,
    run_untagged: facts.runUntagged,
    locked: facts.locked,
    maximum_timeout: facts.maximumTimeout,
    access_level: facts.accessLevel,
    version: facts.manager?.version ?? null,
    revision: facts.manager?.revision ?? null,
    platform: facts.manager?.platform ?? null,
    architecture: facts.manager?.architecture ?? null,
    contacted_at: facts.contactedAt,
    maintenance_note: facts.maintenanceNote,
    projects: facts.projects.map(presentProject),
    groups: [],
  };
}

export function presentRunnerJob({ job, project }: RunnerJob, externalUrl: string): RunnerJobResponse {
  const { description, createdAt } = project;
  const shown = presentJob(job, externalUrl);
  const whose = { ...presentProject(project), description, created_at: createdAt };
  return { ...shown, project: { ...shown.project, ...whose } };
}

function presentProject(project: RunnerDetails['projects'][number]): RunnerProjectResponse {
  return {
    id: project.id,
    name: project.name,
    name_with_namespace: `${project.namespace} / ${project.name}`,
    path: project.path,
    path_with_namespace: project.fullPath,
  };
}
