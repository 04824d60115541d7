import { ApiProperty } from '@nestjs/swagger';
import { type CallerNames, triggerChannels, type TriggerChannel } from '#libs/contracts';
import { type Delivery, requestStates, type RequestState } from './delivery-log.js';
import type { SentContent } from './redaction.js';

const time = { type: 'string', format: 'date-time' } as const;

class DeliveryTriggerResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty({ type: 'string', nullable: true, description: 'The part of the token that may be seen' })
  short_token!: string | null;
  @ApiProperty({ type: 'string', nullable: true, description: 'Null also once the trigger is revoked' })
  description!: string | null;
}

class DeliveryUserResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() username!: string;
  @ApiProperty() name!: string;
}

/** A trigger request, and what became of it. */
export class DeliveryResponse {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({
    enum: requestStates,
    description: '`parked`: it failed too often, and waits for an administrator',
  })
  state!: RequestState;
  @ApiProperty({ type: 'integer', nullable: true, description: 'Status of the answer; null before there is one' })
  status!: number | null;
  @ApiProperty({ type: 'string', nullable: true, description: 'Why it was refused' }) message!: string | null;
  @ApiProperty({ type: 'integer', nullable: true }) pipeline_id!: number | null;
  @ApiProperty({ type: DeliveryTriggerResponse, nullable: true, description: "Null where a job's token called" })
  trigger!: DeliveryTriggerResponse | null;
  @ApiProperty({ description: 'As it was given' }) ref!: string;
  @ApiProperty({ enum: triggerChannels }) channel!: TriggerChannel;
  @ApiProperty({ type: DeliveryUserResponse, nullable: true, description: 'As whom the pipeline was to run' })
  user!: DeliveryUserResponse | null;
  @ApiProperty(time) received_at!: string;
  @ApiProperty({ ...time, nullable: true }) settled_at!: string | null;
  @ApiProperty({ type: 'integer', description: 'How often it was published again' }) publish_attempts!: number;
}

class SentVariableResponse {
  @ApiProperty() key!: string;
  @ApiProperty() value!: string;
}

/** The same with what was sent. */
export class WholeDeliveryResponse extends DeliveryResponse {
  @ApiProperty({ type: [SentVariableResponse], description: 'In order; values that the project masks are `[MASKED]`' })
  variables!: SentVariableResponse[];
  @ApiProperty({ description: 'All parameters of the call as JSON, without credentials; the beginning of a long one' })
  payload!: string;
  @ApiProperty({ description: 'Whether that is all of it' }) payload_complete!: boolean;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' }, description: 'Those worth knowing' })
  headers!: Record<string, string>;
}

/** Characters of a payload that a page can still show. */
const longestPayload = 262_144;

/** @param names as they are now */
export function presentDelivery(delivery: Delivery, names: CallerNames): DeliveryResponse {
  const { triggerId, userId, username, name } = delivery;
  const trigger = names.triggers.find(({ id }) => id === triggerId);
  const user = names.users.find(({ id }) => id === userId) ?? (username === null ? null : { username, name });
  return {
    id: delivery.id,
    state: delivery.state,
    status: delivery.status,
    message: delivery.refusal && refusalText(delivery.refusal),
    pipeline_id: delivery.pipelineId,
    trigger:
      triggerId === null
        ? null
        : {
            id: triggerId,
            short_token: trigger?.shortToken ?? delivery.shortToken,
            description: trigger?.description ?? null,
          },
    ref: delivery.ref,
    channel: delivery.channel,
    user: user && { id: userId, username: user.username, name: user.name ?? user.username },
    received_at: delivery.receivedAt.toISOString(),
    settled_at: delivery.settledAt?.toISOString() ?? null,
    publish_attempts: delivery.publishAttempts,
  };
}

/** @param sent redacted */
export function presentWholeDelivery(
  delivery: Delivery,
  names: CallerNames,
  sent: SentContent,
  headers: Record<string, string>,
): WholeDeliveryResponse {
  return {
    ...presentDelivery(delivery, names),
    variables: sent.variables.map(([key, value]) => ({ key, value })),
    payload: sent.payload.slice(0, longestPayload),
    payload_complete: sent.payload.length <= longestPayload,
    headers,
  };
}

/** A refusal's body in words: a text, or what is wrong with each attribute. */
function refusalText({ message, error }: Record<string, unknown>): string | null {
  const told = message ?? error;
  if (typeof told === 'string') return told;
  if (typeof told !== 'object' || told === null) return null;
  return Object.entries(told)
    .flatMap(([attribute, texts]) => {
      const text = Array.isArray(texts) ? texts.join(', ') : String(texts);
      return attribute === 'base' ? text : `${attribute}: ${text}`;
    })
    .join(', ');
}
