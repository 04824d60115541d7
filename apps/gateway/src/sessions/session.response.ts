import { ApiProperty } from '@nestjs/swagger';
import type { UserViewer } from '../access/viewer.js';
import type { SessionFacts } from './sessions.js';

class SessionUserResponse {
  @ApiProperty() id!: number;
  @ApiProperty() username!: string;
  @ApiProperty() name!: string;
  @ApiProperty() admin!: boolean;
}

/** Who is signed in, and for how long. */
export class CurrentSessionResponse {
  @ApiProperty() user!: SessionUserResponse;
  @ApiProperty({ type: [String], description: 'Of the access token that began it: what may be done' })
  scopes!: readonly string[];
  @ApiProperty({ format: 'date-time' }) expires_at!: string;
}

/** One of the sessions of a user. */
export class SessionResponse {
  @ApiProperty() id!: number;
  @ApiProperty({ description: 'Whether it is the one of the request' }) current!: boolean;
  @ApiProperty({ format: 'date-time' }) created_at!: string;
  @ApiProperty({ format: 'date-time' }) last_used_at!: string;
  @ApiProperty({ format: 'date-time' }) expires_at!: string;
  @ApiProperty({ type: String, nullable: true, description: 'Of the browser that signed in' })
  user_agent!: string | null;
}

export function presentCurrentSession(user: UserViewer, expiresAt: Date): CurrentSessionResponse {
  const { id, username, name, admin, scopes } = user;
  return { user: { id, username, name, admin }, scopes, expires_at: expiresAt.toISOString() };
}

export function presentSession(session: SessionFacts, current: number | undefined): SessionResponse {
  return {
    id: session.id,
    current: session.id === current,
    created_at: session.createdAt.toISOString(),
    last_used_at: session.lastUsedAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
    user_agent: session.userAgent,
  };
}
