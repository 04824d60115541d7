import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity({ schema: 'tokens', name: 'users' })
export class User {
  @PrimaryGeneratedColumn('identity', { type: 'bigint' }) id!: number;
  @Column({ name: 'request_id', type: 'uuid', nullable: true }) requestId!: string | null;
  @Column('text') username!: string;
  @Column('text') name!: string;
  @Column({ type: 'text', nullable: true }) email!: string | null;
  @Column('text') state!: 'active' | 'blocked';
  @Column('boolean') admin!: boolean;
  @Column({ name: 'created_at', type: 'timestamptz' }) createdAt!: Date;
}
