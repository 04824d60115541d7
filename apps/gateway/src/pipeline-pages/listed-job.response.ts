import { ApiProperty } from '@nestjs/swagger';
import { type ListedJob, pipelineSources } from '#libs/contracts';
import { presentShownJob, ShownJobResponse } from './shown-job.response.js';
import {
  presentShownTrigger,
  presentShownUser,
  ShownTriggerResponse,
  ShownUserResponse,
} from './shown-pipeline.response.js';

class PipelineOfJobResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() ref!: string;
  @ApiProperty() tag!: boolean;
  @ApiProperty() sha!: string;
  @ApiProperty({ enum: pipelineSources }) source!: string;
  @ApiProperty({ type: ShownTriggerResponse, nullable: true }) trigger!: ShownTriggerResponse | null;
  @ApiProperty() web_url!: string;
}

/** A job as a line of a page. */
export class ListedJobResponse extends ShownJobResponse {
  @ApiProperty({ type: PipelineOfJobResponse }) pipeline!: PipelineOfJobResponse;
  @ApiProperty({ type: ShownUserResponse, nullable: true, description: 'Who started it' })
  user!: ShownUserResponse | null;
}

/** @param externalUrl without a slash at the end */
export function presentListedJob(facts: ListedJob, externalUrl: string): ListedJobResponse {
  const { id, projectPath, ref, tag, sha, source, trigger } = facts.pipeline;
  return {
    ...presentShownJob(facts, new Set(), projectPath, externalUrl),
    pipeline: {
      id,
      ref,
      tag,
      sha,
      source,
      trigger: presentShownTrigger(trigger),
      web_url: `${externalUrl}/${projectPath}/-/pipelines/${id}`,
    },
    user: presentShownUser(facts.user),
  };
}
