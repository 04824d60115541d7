import { ApiProperty } from '@nestjs/swagger';
import type { TriggerFacts } from '#libs/contracts';
import { presentUser, ShortUserResponse } from '../users/user.response.js';

const time = { type: 'string', format: 'date-time' } as const;

/** A trigger token (trigger-api.md §2.1). */
export class TriggerResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty({ description: 'In full for those who may see it, else its first four characters' }) token!: string;
  @ApiProperty({ type: 'string', nullable: true }) description!: string | null;
  @ApiProperty(time) created_at!: string;
  @ApiProperty(time) updated_at!: string;
  @ApiProperty({ ...time, nullable: true }) last_used!: string | null;
  @ApiProperty({ ...time, nullable: true }) expires_at!: string | null;
  @ApiProperty() owner!: ShortUserResponse;
}

/** @param token as much of it as the viewer may see */
export function presentTrigger(facts: TriggerFacts, token: string, externalUrl: string): TriggerResponse {
  return {
    id: facts.id,
    token,
    description: facts.description,
    created_at: facts.createdAt,
    updated_at: facts.updatedAt,
    last_used: facts.lastUsed,
    expires_at: facts.expiresAt,
    owner: presentUser(facts.owner, externalUrl),
  };
}
