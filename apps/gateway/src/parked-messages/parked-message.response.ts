import { ApiProperty } from '@nestjs/swagger';
import {
  ArtifactsRemoved,
  BridgeDue,
  PipelineCreated,
  PipelineDeleted,
  PipelineSupersedes,
  PipelineTriggered,
  ProjectDeleted,
  ResourceGroupDue,
  TriggerOutcome,
  UserChanged,
} from '#libs/contracts';
import type { ParkedMessage } from '#libs/messaging';

class ParkedEventResponse {
  @ApiProperty() id!: string;
  @ApiProperty({ example: 'pipeline.triggered.v1' }) type!: string;
  @ApiProperty({ format: 'date-time' }) time!: string;
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description:
      'What tells the operator what it is about; what callers sent, and who they are but for their names, is left out',
  })
  data!: Record<string, unknown>;
}

/** Something that a service gave up on. */
export class ParkedMessageResponse {
  @ApiProperty() id!: string;
  @ApiProperty({ example: 'pipeline-service.pipeline.triggered.v1' }) queue!: string;
  @ApiProperty() reason!: string;
  @ApiProperty({ format: 'date-time' }) parked_at!: string;
  @ApiProperty({ type: [ParkedEventResponse], description: 'Empty where it could not be decoded' })
  events!: ParkedEventResponse[];
}

/** What of a field is shown: all of it, or of an object only some fields. */
type Shown = true | { [name: string]: Shown };

const ids: Shown = { pipelineId: true, projectId: true, triggerId: true };

/**
 * What is shown of each kind of message. Callers write variables, payloads and inputs, secrets too, and whatever is new in a message is not shown
 * before somebody has thought about it.
 */
const shownOf: Record<string, Shown> = {
  [PipelineTriggered.type]: {
    requestId: true,
    projectId: true,
    ref: true,
    source: true,
    channel: true,
    trigger: { id: true, shortToken: true },
    upstream: { projectId: true, pipelineId: true, jobId: true },
    actor: { id: true, username: true },
    receivedAt: true,
  },
  [TriggerOutcome.type]: {
    requestId: true,
    pipeline: { id: true, projectId: true },
    refusal: { status: true, pipelineId: true, parked: true },
  },
  [PipelineCreated.type]: { ...ids, createdAt: true, status: true },
  [PipelineSupersedes.type]: { pipelineId: true },
  [BridgeDue.type]: { jobId: true },
  [ResourceGroupDue.type]: { projectId: true },
  [PipelineDeleted.type]: { ...ids, latest: { pipelineId: true, createdAt: true } },
  [ProjectDeleted.type]: { projectId: true },
  [UserChanged.type]: { userId: true, username: true, state: true },
  [ArtifactsRemoved.type]: { storageKeys: true },
};

export function presentParkedMessage({ id, queue, reason, parkedAt, messages }: ParkedMessage): ParkedMessageResponse {
  return {
    id,
    queue,
    reason,
    parked_at: parkedAt,
    events: messages.map(({ id: eventId, type, time, data }) => ({
      id: eventId,
      type,
      time,
      data: (Object.hasOwn(shownOf, type) ? only(data, shownOf[type]) : {}) as Record<string, unknown>,
    })),
  };
}

/** A message may be parked because it is not as described: where an object should be, nothing else is shown. */
function only(value: unknown, shown: Shown | undefined): unknown {
  if (shown === true) return value;
  if (typeof value !== 'object' || value === null || shown === undefined) return {};
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => Object.hasOwn(shown, name))
      .map(([name, part]) => [name, part === null ? null : only(part, shown[name])]),
  );
}
