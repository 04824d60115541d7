import { ApiProperty } from '@nestjs/swagger';
import { type Status, statuses } from '#libs/contracts';
import type { RecordedOutcome } from './ledger.js';

/** What a caller is told who does not wait for the pipeline (architecture.md §2.7). */
export class AcceptedResponse {
  @ApiProperty({ example: '202 Accepted' }) message!: string;
  @ApiProperty({ format: 'uuid' }) request_id!: string;
  @ApiProperty({ enum: ['accepted'] }) status!: 'accepted';
  @ApiProperty({ description: 'Tells the outcome; needs no other credential' }) status_url!: string;
}

/** The pipeline that a request brought about. */
class CreatedPipeline {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() web_url!: string;
  @ApiProperty({ enum: statuses }) status!: Status;
}

/** The answer that the call would have got. */
class RejectedCall {
  @ApiProperty({ type: 'integer' }) status!: number;
  @ApiProperty({ type: 'object', additionalProperties: true }) body!: Record<string, unknown>;
}

/** What a status URL tells, and nothing else. */
export class TriggerRequestResponse {
  @ApiProperty({ format: 'uuid' }) request_id!: string;
  @ApiProperty({ enum: ['accepted', 'created', 'rejected'] }) status!: 'accepted' | 'created' | 'rejected';
  @ApiProperty({ required: false, type: CreatedPipeline }) pipeline?: CreatedPipeline;
  @ApiProperty({ required: false, type: RejectedCall }) response?: RejectedCall;
}

export function presentAccepted(requestId: string, statusToken: string, externalUrl: string): AcceptedResponse {
  return {
    message: '202 Accepted',
    request_id: requestId,
    status: 'accepted',
    status_url: `${externalUrl}/api/v4/trigger_requests/${statusToken}`,
  };
}

export function presentTriggerRequest(
  { requestId, outcome }: RecordedOutcome,
  externalUrl: string,
): TriggerRequestResponse {
  if (!outcome) return { request_id: requestId, status: 'accepted' };
  const { pipeline, refusal } = outcome;
  if (pipeline) {
    const web_url = `${externalUrl}/${pipeline.projectPath}/-/pipelines/${pipeline.id}`;
    return {
      request_id: requestId,
      status: 'created',
      pipeline: { id: pipeline.id, web_url, status: pipeline.status },
    };
  }
  return {
    request_id: requestId,
    status: 'rejected',
    response: { status: refusal?.status ?? 500, body: refusal?.body ?? {} },
  };
}
