import type { AccessTokenScope } from '#libs/contracts';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity({ schema: 'tokens', name: 'access_tokens' })
export class AccessToken {
  @PrimaryGeneratedColumn('identity', { type: 'bigint' }) id!: number;
  @Column({ name: 'request_id', type: 'uuid', nullable: true }) requestId!: string | null;
  @Column({ name: 'user_id', type: 'bigint' }) userId!: number;
  @Column('text') name!: string;
  @Column({ type: 'text', nullable: true }) description!: string | null;
  @Column('text', { array: true }) scopes!: AccessTokenScope[];
  @Column({ name: 'token_hash', type: 'bytea' }) tokenHash!: Buffer;
  @Column('text') visible!: string;
  /** The one that ROOT_TOKEN names. */
  @Column('boolean') root!: boolean;
  @Column({ name: 'created_at', type: 'timestamptz' }) createdAt!: Date;
  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true }) expiresAt!: Date | null;
  @Column('boolean') revoked!: boolean;
}
