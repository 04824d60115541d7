import { ApiProperty } from '@nestjs/swagger';
import type { ParkedMessage } from '#libs/messaging';

class ParkedEventResponse {
  @ApiProperty() id!: string;
  @ApiProperty({ example: 'pipeline.triggered.v1' }) type!: string;
  @ApiProperty({ format: 'date-time' }) time!: string;
  @ApiProperty({ type: 'object', additionalProperties: true, description: 'What callers sent is left out' })
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

/** Callers write into these whatever they like, secrets too. */
const hidden = new Set(['variables', 'payload', 'inputs']);

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
      data: Object.fromEntries(Object.entries(data as object).filter(([name]) => !hidden.has(name))),
    })),
  };
}
