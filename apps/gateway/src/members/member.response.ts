import { ApiProperty } from '@nestjs/swagger';
import { type MemberFacts, memberLevels } from '#libs/contracts';
import { presentUser, ShortUserResponse } from '../users/user.response.js';

/** GitLab's member of a project. */
export class MemberResponse extends ShortUserResponse {
  @ApiProperty({ enum: memberLevels, type: 'integer' }) access_level!: number;
  @ApiProperty({ type: 'string', format: 'date-time' }) created_at!: string;
  @ApiProperty({ required: false }) created_by?: ShortUserResponse;
  @ApiProperty({ type: 'string', format: 'date', nullable: true }) expires_at!: string | null;
  @ApiProperty({ enum: ['active'] }) membership_state!: 'active';
}

export function presentMember(member: MemberFacts, externalUrl: string): MemberResponse {
  return {
    ...presentUser(member.user, externalUrl),
    access_level: member.accessLevel,
    created_at: member.createdAt,
    ...(member.createdBy ? { created_by: presentUser(member.createdBy, externalUrl) } : {}),
    expires_at: member.expiresAt,
    membership_state: 'active',
  };
}
