import type { AccessLevel } from '#libs/contracts';
import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../users/user.entity.js';

@Entity({ schema: 'tokens', name: 'members' })
export class Member {
  @PrimaryColumn({ name: 'project_id', type: 'bigint' }) projectId!: number;
  @PrimaryColumn({ name: 'user_id', type: 'bigint' }) userId!: number;
  @ManyToOne(() => User) @JoinColumn({ name: 'user_id' }) user!: Relation<User>;
  @Column({ name: 'access_level', type: 'integer' }) accessLevel!: AccessLevel;
  @Column({ name: 'request_id', type: 'uuid', nullable: true }) requestId!: string | null;
  @ManyToOne(() => User) @JoinColumn({ name: 'created_by_id' }) createdBy!: Relation<User> | null;
  @Column({ name: 'created_at', type: 'timestamptz' }) createdAt!: Date;
  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true }) expiresAt!: Date | null;
}
