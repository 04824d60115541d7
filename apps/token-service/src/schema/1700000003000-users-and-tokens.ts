import { outboxTable } from '#libs/persistence';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Times have milliseconds, as callers see them: `If-Unmodified-Since` compares with what was shown (trigger-api.md §2.2). */
const statements = [
  `create table tokens.users (
    id bigint generated always as identity primary key,
    request_id uuid unique,
    username text not null,
    name text not null,
    email text,
    state text not null default 'active' check (state in ('active', 'blocked')),
    admin boolean not null default false,
    created_at timestamptz(3) not null default now()
  )`,
  `create unique index users_username on tokens.users (lower(username))`,
  `create unique index users_email on tokens.users (lower(email))`,

  `create table tokens.access_tokens (
    id bigint generated always as identity primary key,
    request_id uuid unique,
    user_id bigint not null references tokens.users on delete cascade,
    name text not null,
    description text,
    scopes text[] not null,
    token_hash bytea not null unique,
    visible text not null,
    root boolean not null default false,
    created_at timestamptz(3) not null default now(),
    expires_at timestamptz(3),
    revoked boolean not null default false
  )`,
  `create index access_tokens_user on tokens.access_tokens (user_id)`,

  `create table tokens.members (
    project_id bigint not null,
    user_id bigint not null references tokens.users on delete cascade,
    access_level integer not null check (access_level in (10, 20, 30, 40, 50)),
    request_id uuid unique,
    created_by_id bigint references tokens.users on delete set null,
    created_at timestamptz(3) not null default now(),
    expires_at timestamptz(3),
    primary key (project_id, user_id)
  )`,
  `create index members_user on tokens.members (user_id, project_id) include (access_level, expires_at)`,
  `create index members_created_by on tokens.members (created_by_id)`,

  `create table tokens.triggers (
    id bigint generated always as identity primary key,
    request_id uuid not null unique,
    project_id bigint not null,
    owner_id bigint not null references tokens.users on delete cascade,
    description text,
    token_hash bytea not null unique,
    short_token text not null,
    sealed_token text,
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now(),
    expires_at timestamptz(3),
    last_used timestamptz(3),
    last_used_pipeline_id bigint,
    newest_pipeline_id bigint not null default 0
  )`,
  `create index triggers_project on tokens.triggers (project_id, id)`,
  `create index triggers_owner on tokens.triggers (owner_id)`,
  `create index triggers_expiry on tokens.triggers (expires_at) where expires_at is not null`,
  `comment on column tokens.triggers.newest_pipeline_id is
    'The highest pipeline id heard of: an event about it or an older one that comes again does not move last_used back to it'`,

  outboxTable('tokens'),

  // What the gateway reads for every request (architecture.md §1). One index look-up by hash, then look-ups by primary key.
  `create view tokens.access_credentials as
    select a.token_hash, a.id as token_id, a.scopes, a.expires_at, a.revoked,
           u.id as user_id, u.username, u.name, u.email, u.state, u.admin, u.created_at as user_created_at,
           (select coalesce(jsonb_object_agg(m.project_id, m.access_level), '{}') from tokens.members m
             where m.user_id = u.id and (m.expires_at is null or m.expires_at > now())) as memberships
      from tokens.access_tokens a join tokens.users u on u.id = a.user_id`,
  `create view tokens.trigger_credentials as
    select t.token_hash, t.id as trigger_id, t.project_id, t.short_token, t.expires_at,
           u.id as owner_id, u.username as owner_username, u.name as owner_name, u.email as owner_email,
           u.state as owner_state, u.admin as owner_admin, u.created_at as owner_created_at,
           case when u.admin then 50 else coalesce(m.access_level, 0) end as owner_access_level
      from tokens.triggers t
      join tokens.users u on u.id = t.owner_id
      left join tokens.members m on m.project_id = t.project_id and m.user_id = t.owner_id
                                and (m.expires_at is null or m.expires_at > now())`,
];

export class UsersAndTokens1700000003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop view tokens.trigger_credentials, tokens.access_credentials`);
    await runner.query(`drop table tokens.outbox, tokens.triggers, tokens.members, tokens.access_tokens, tokens.users`);
  }
}
