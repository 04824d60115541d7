import { ApiProperty } from '@nestjs/swagger';
import { type AccessTokenFacts, accessTokenScopes } from '#libs/contracts';

/** GitLab's personal access token, without its characters. */
export class AccessTokenResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() name!: string;
  @ApiProperty() revoked!: boolean;
  @ApiProperty({ type: 'string', format: 'date-time' }) created_at!: string;
  @ApiProperty({ type: 'string', nullable: true }) description!: string | null;
  @ApiProperty({ type: 'array', items: { type: 'string', enum: [...accessTokenScopes] } }) scopes!: string[];
  @ApiProperty({ type: 'integer' }) user_id!: number;
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, description: 'Not recorded here: always null' })
  last_used_at!: string | null;
  @ApiProperty() active!: boolean;
  @ApiProperty({ type: 'string', format: 'date', nullable: true }) expires_at!: string | null;
}

/** The answer that made it, and the only one that tells it. */
export class NewAccessTokenResponse extends AccessTokenResponse {
  @ApiProperty() token!: string;
}

export function presentAccessToken(facts: AccessTokenFacts): AccessTokenResponse {
  return {
    id: facts.id,
    name: facts.name,
    revoked: facts.revoked,
    created_at: facts.createdAt,
    description: facts.description,
    scopes: facts.scopes,
    user_id: facts.userId,
    last_used_at: null,
    active: facts.active,
    expires_at: facts.expiresAt,
  };
}
