import { Column, Entity, JoinColumn, ManyToOne, PrimaryGeneratedColumn, type Relation } from 'typeorm';
import { User } from '../users/user.entity.js';

@Entity({ schema: 'tokens', name: 'triggers' })
export class Trigger {
  @PrimaryGeneratedColumn('identity', { type: 'bigint' }) id!: number;
  @Column({ name: 'request_id', type: 'uuid' }) requestId!: string;
  @Column({ name: 'project_id', type: 'bigint' }) projectId!: number;
  @ManyToOne(() => User) @JoinColumn({ name: 'owner_id' }) owner!: Relation<User>;
  @Column({ type: 'text', nullable: true }) description!: string | null;
  @Column({ name: 'short_token', type: 'text' }) shortToken!: string;
  @Column({ name: 'sealed_token', type: 'text', nullable: true }) sealedToken!: string | null;
  @Column({ name: 'created_at', type: 'timestamptz' }) createdAt!: Date;
  @Column({ name: 'updated_at', type: 'timestamptz' }) updatedAt!: Date;
  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true }) expiresAt!: Date | null;
  @Column({ name: 'last_used', type: 'timestamptz', nullable: true }) lastUsed!: Date | null;
}
