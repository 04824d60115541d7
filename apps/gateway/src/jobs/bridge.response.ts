import { ApiProperty, PickType } from '@nestjs/swagger';
import type { BridgeFacts } from '#libs/contracts';
import { BasicPipelineResponse, presentBasicPipeline } from '../pipelines/pipeline.response.js';
import { JobResponse, presentJob } from './job.response.js';

const shared = [
  'id',
  'status',
  'stage',
  'name',
  'ref',
  'tag',
  'coverage',
  'allow_failure',
  'created_at',
  'started_at',
  'finished_at',
  'erased_at',
  'duration',
  'queued_duration',
  'user',
  'commit',
  'pipeline',
  'failure_reason',
  'web_url',
  'project',
] as const;

/** A job that stands for another pipeline: what GitLab tells of every job, and that pipeline (trigger-api.md §4.1). */
export class BridgeResponse extends PickType(JobResponse, shared) {
  @ApiProperty({
    type: BasicPipelineResponse,
    nullable: true,
    description: 'Null before it is there, and for whoever may not see the pipelines of its project',
  })
  downstream_pipeline!: BasicPipelineResponse | null;
}

/** @param seen whether the viewer may see the downstream pipeline */
export function presentBridge(facts: BridgeFacts, seen: boolean, externalUrl: string): BridgeResponse {
  const job = presentJob(facts, externalUrl);
  const { downstreamPipeline } = facts;
  return {
    ...(Object.fromEntries(shared.flatMap((key) => (key in job ? [[key, job[key]]] : []))) as Pick<
      JobResponse,
      (typeof shared)[number]
    >),
    downstream_pipeline: downstreamPipeline && seen ? presentBasicPipeline(downstreamPipeline, externalUrl) : null,
  };
}
