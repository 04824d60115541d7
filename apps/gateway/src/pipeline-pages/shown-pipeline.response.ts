import { ApiProperty } from '@nestjs/swagger';
import {
  pipelineSources,
  type ShownPipeline,
  statuses,
  type TriggerChannel,
  triggerChannels,
  type UserFacts,
  type WholePipeline,
} from '#libs/contracts';
import { DetailedStatus } from '../pipelines/detailed-status.js';
import { presentPipeline } from '../pipelines/pipeline.response.js';
import {
  LinkedPipelineResponse,
  presentLinkedPipeline,
  presentShownJob,
  ShownJobResponse,
} from './shown-job.response.js';

const time = { type: 'string', format: 'date-time' } as const;

export class ShownUserResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() username!: string;
  @ApiProperty() name!: string;
}

/** The trigger that started a pipeline, and how it was called. */
export class ShownTriggerResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty({ description: 'The part of the token that may be seen' }) short_token!: string;
  @ApiProperty({ enum: triggerChannels }) channel!: TriggerChannel;
}

export class WholeTriggerResponse extends ShownTriggerResponse {
  @ApiProperty({
    type: 'string',
    nullable: true,
    description: 'For those who may run pipelines; null once it is revoked',
  })
  description!: string | null;
}

class ShownCommitResponse {
  @ApiProperty() title!: string;
  @ApiProperty() author_name!: string;
}

class StageResponse {
  @ApiProperty() name!: string;
  @ApiProperty({ enum: statuses }) status!: string;
  @ApiProperty({ description: 'A job of it failed that may' }) warnings!: boolean;
  @ApiProperty({ type: 'integer', description: 'Jobs in it' }) count!: number;
}

/** A pipeline as a line of a page. */
export class ShownPipelineResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty({ type: 'integer' }) iid!: number;
  @ApiProperty({ type: 'string', nullable: true }) name!: string | null;
  @ApiProperty({ enum: statuses }) status!: string;
  @ApiProperty({ type: DetailedStatus }) detailed_status!: DetailedStatus;
  @ApiProperty() ref!: string;
  @ApiProperty() tag!: boolean;
  @ApiProperty() sha!: string;
  @ApiProperty({ enum: pipelineSources }) source!: string;
  @ApiProperty() web_url!: string;
  @ApiProperty(time) created_at!: string;
  @ApiProperty(time) updated_at!: string;
  @ApiProperty({ ...time, nullable: true }) started_at!: string | null;
  @ApiProperty({ ...time, nullable: true }) finished_at!: string | null;
  @ApiProperty({ type: 'integer', nullable: true, description: 'Seconds' }) duration!: number | null;
  @ApiProperty({ type: 'integer', nullable: true, description: 'Seconds' }) queued_duration!: number | null;
  @ApiProperty({ type: 'string', nullable: true }) yaml_errors!: string | null;
  @ApiProperty({ type: ShownUserResponse, nullable: true }) user!: ShownUserResponse | null;
  @ApiProperty({ type: ShownTriggerResponse, nullable: true }) trigger!: ShownTriggerResponse | null;
  @ApiProperty({ type: ShownCommitResponse }) commit!: ShownCommitResponse;
  @ApiProperty({ type: [StageResponse] }) stages!: StageResponse[];
  @ApiProperty({ description: 'There is something to cancel, and the caller may' }) cancelable!: boolean;
  @ApiProperty({ description: 'There is something to run again, and the caller may' }) retryable!: boolean;
}

/** A pipeline with everything that its page shows. */
export class WholePipelineResponse extends ShownPipelineResponse {
  @ApiProperty({ type: WholeTriggerResponse, nullable: true }) declare trigger: WholeTriggerResponse | null;
  @ApiProperty({
    type: LinkedPipelineResponse,
    nullable: true,
    description: 'The pipeline whose job started it; null also for whoever may not see the pipelines of its project',
  })
  upstream!: LinkedPipelineResponse | null;
  @ApiProperty({ type: 'string', nullable: true, example: 'config_error' }) failure_reason!: string | null;
  @ApiProperty({ type: [ShownJobResponse], description: 'All attempts of all jobs, in order' })
  jobs!: ShownJobResponse[];
}

/** @param externalUrl without a slash at the end */
export function presentShownPipeline(facts: ShownPipeline, externalUrl: string): ShownPipelineResponse {
  const told = presentPipeline(facts, externalUrl);
  return {
    id: facts.id,
    iid: facts.iid,
    name: facts.name,
    status: facts.status,
    detailed_status: told.detailed_status,
    ref: facts.ref,
    tag: facts.tag,
    sha: facts.sha,
    source: facts.source,
    web_url: told.web_url,
    created_at: facts.createdAt,
    updated_at: facts.updatedAt,
    started_at: facts.startedAt,
    finished_at: facts.finishedAt,
    duration: facts.duration,
    queued_duration: facts.queuedDuration,
    yaml_errors: facts.yamlErrors,
    user: presentShownUser(facts.user),
    trigger: presentShownTrigger(facts.trigger),
    commit: { title: facts.commit.title, author_name: facts.commit.authorName },
    stages: facts.stages,
    cancelable: facts.cancelable,
    retryable: facts.retryable,
  };
}

/**
 * @param triggerDescription where it is known, and may be
 * @param seen projects whose pipelines the viewer may see
 */
export function presentWholePipeline(
  facts: WholePipeline,
  triggerDescription: string | null,
  seen: ReadonlySet<number>,
  externalUrl: string,
): WholePipelineResponse {
  const trigger = presentShownTrigger(facts.trigger);
  return {
    ...presentShownPipeline(facts, externalUrl),
    trigger: trigger && { ...trigger, description: triggerDescription },
    upstream: presentLinkedPipeline(facts.upstream, seen, externalUrl),
    failure_reason: facts.failureReason,
    jobs: facts.jobs.map((job) => presentShownJob(job, seen, facts.projectPath, externalUrl)),
  };
}

export function presentShownUser(user: UserFacts | null): ShownUserResponse | null {
  return user && { id: user.id, username: user.username, name: user.name };
}

export function presentShownTrigger(trigger: ShownPipeline['trigger']): ShownTriggerResponse | null {
  return trigger && { id: trigger.id, short_token: trigger.shortToken, channel: trigger.channel };
}
