import { ApiProperty } from '@nestjs/swagger';
import { type LinkedPipeline, type ShownJob, statuses } from '#libs/contracts';

const time = { type: 'string', format: 'date-time' } as const;
const seconds = { type: 'number', nullable: true, description: 'Seconds, until now for what has not ended' } as const;

/** A pipeline at the other end of a trigger job. */
export class LinkedPipelineResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() project_path!: string;
  @ApiProperty({ enum: statuses }) status!: string;
  @ApiProperty() web_url!: string;
}

class ShownEnvironmentResponse {
  @ApiProperty() name!: string;
  @ApiProperty({ type: 'string', nullable: true }) url!: string | null;
  @ApiProperty({ type: 'string', nullable: true, example: 'start' }) action!: string | null;
}

class ShownRunnerResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() description!: string;
}

/** A job as the pages draw it. */
export class ShownJobResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() name!: string;
  @ApiProperty() stage!: string;
  @ApiProperty({ enum: statuses }) status!: string;
  @ApiProperty() allow_failure!: boolean;
  @ApiProperty({ enum: ['on_success', 'on_failure', 'always', 'manual', 'delayed'] }) when!: string;
  @ApiProperty({ type: [String], description: 'Names of jobs' }) needs!: string[];
  @ApiProperty({ enum: ['stage', 'dag'], description: '`dag`: it waits for its needs alone' }) scheduling!: string;
  @ApiProperty(time) created_at!: string;
  @ApiProperty({ ...time, nullable: true }) started_at!: string | null;
  @ApiProperty({ ...time, nullable: true }) finished_at!: string | null;
  @ApiProperty({ ...time, nullable: true, description: 'When a delayed job begins' }) scheduled_at!: string | null;
  @ApiProperty(seconds) duration!: number | null;
  @ApiProperty(seconds) queued_duration!: number | null;
  @ApiProperty({ description: 'Another attempt counts in its place' }) retried!: boolean;
  @ApiProperty({ description: 'A person starts it' }) manual!: boolean;
  @ApiProperty({ description: 'It waits for a person or a time, and the caller may start it' }) playable!: boolean;
  @ApiProperty({ description: 'It can be run again, and by the caller' }) retryable!: boolean;
  @ApiProperty({ description: 'It can be canceled, and by the caller' }) cancelable!: boolean;
  @ApiProperty({ type: 'string', nullable: true, description: 'Null for a trigger job, which has no page' })
  web_url!: string | null;
  @ApiProperty({ type: [String] }) tags!: string[];
  @ApiProperty({ type: ShownEnvironmentResponse, nullable: true }) environment!: ShownEnvironmentResponse | null;
  @ApiProperty({ type: 'string', nullable: true }) resource_group!: string | null;
  @ApiProperty({ type: 'string', nullable: true, example: 'script_failure' }) failure_reason!: string | null;
  @ApiProperty({ type: ShownRunnerResponse, nullable: true }) runner!: ShownRunnerResponse | null;
  @ApiProperty({ description: 'It starts another pipeline, or takes over the status of one' }) bridge!: boolean;
  @ApiProperty({
    type: LinkedPipelineResponse,
    nullable: true,
    description: 'That pipeline; null before it is there, and for whoever may not see the pipelines of its project',
  })
  downstream!: LinkedPipelineResponse | null;
}

/** @param seen projects whose pipelines the viewer may see */
export function presentShownJob(
  facts: ShownJob,
  seen: ReadonlySet<number>,
  projectPath: string,
  externalUrl: string,
): ShownJobResponse {
  return {
    id: facts.id,
    name: facts.name,
    stage: facts.stage,
    status: facts.status,
    allow_failure: facts.allowFailure,
    when: facts.when,
    needs: facts.needs,
    scheduling: facts.scheduling,
    created_at: facts.createdAt,
    started_at: facts.startedAt,
    finished_at: facts.finishedAt,
    scheduled_at: facts.scheduledAt,
    duration: facts.duration,
    queued_duration: facts.queuedDuration,
    retried: facts.retried,
    manual: facts.when === 'manual',
    playable: facts.playable,
    retryable: facts.retryable,
    cancelable: facts.cancelable,
    web_url: facts.bridge ? null : `${externalUrl}/${projectPath}/-/jobs/${facts.id}`,
    tags: facts.tags,
    environment: facts.environment,
    resource_group: facts.resourceGroup,
    failure_reason: facts.failureReason,
    runner: facts.runner,
    bridge: facts.bridge,
    downstream: presentLinkedPipeline(facts.downstream, seen, externalUrl),
  };
}

export function presentLinkedPipeline(
  facts: LinkedPipeline | null,
  seen: ReadonlySet<number>,
  externalUrl: string,
): LinkedPipelineResponse | null {
  if (!facts || !seen.has(facts.projectId)) return null;
  const { id, projectPath, status } = facts;
  return { id, project_path: projectPath, status, web_url: `${externalUrl}/${projectPath}/-/pipelines/${id}` };
}
