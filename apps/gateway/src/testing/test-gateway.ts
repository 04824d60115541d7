import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type DynamicModule, Global, Module, type Provider, type Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { pino } from 'pino';
import { Metrics } from '#libs/process';
import { DataSource } from 'typeorm';
import { scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import type { GatewayConfig } from '../config.js';
import { createGateway } from '../http/create-app.js';

/** A gateway with test controllers, listening on loopback, on a database of its own that has tables where the services have their views. */
export interface TestGateway {
  app: NestFastifyApplication;
  url: string;
  port: number;
  database: DataSource;
  databaseUrl: string;
  /** Lines of the log so far. */
  logged: string[];
  close(): Promise<void>;
}

export const externalUrl = 'https://ci.example.com';

/** Tables in the place of the views that the services publish. */
export const publishedViews = `
  create schema tokens;
  create schema pipelines;
  create table tokens.access_credentials (token_hash bytea primary key, token_id bigint, scopes text[], expires_at timestamptz,
    revoked boolean, user_id bigint, username text, name text, email text, state text, admin boolean, user_created_at timestamptz,
    memberships jsonb);
  create table pipelines.project_addresses (project_id bigint, path text, current boolean, visibility text, public_jobs boolean,
    builds_access_level text, state text, archived boolean);
  create table pipelines.job_credentials (token_hash bytea primary key, job_id bigint, project_id bigint, pipeline_id bigint,
    user_id bigint, status text, erased boolean, expires_at timestamptz);
  create table tokens.trigger_credentials (token_hash bytea primary key, trigger_id bigint, project_id bigint, short_token text,
    expires_at timestamptz, owner_id bigint, owner_username text, owner_name text, owner_email text, owner_state text,
    owner_admin boolean, owner_created_at timestamptz, owner_access_level int);
`;

export async function startTestGateway(
  controllers: Type[],
  level = 'debug',
  config: Partial<GatewayConfig> = {},
  providers: Provider[] = [],
): Promise<TestGateway> {
  const scratch = await scratchDatabase('gateway');
  const database = new DataSource({ type: 'postgres', url: scratch.url });
  const logged: string[] = [];
  const log = pino({ level }, { write: (line) => logged.push(line) });
  let app: NestFastifyApplication | undefined;
  const close = async () => {
    await app?.close();
    if (database.isInitialized) await database.destroy();
    await scratch.drop();
  };
  try {
    await database.initialize();
    await database.query(publishedViews);
    app = await createGateway(
      featuresOf(controllers, [...providers, { provide: DataSource, useValue: database }]),
      { ...testConfig(scratch.url, level), ...config },
      log,
      new Metrics(),
    );
    await app.listen(0, '127.0.0.1');
  } catch (error) {
    await close();
    throw error;
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, port, url: `http://127.0.0.1:${port}`, database, databaseUrl: scratch.url, logged, close };
}

export function testConfig(databaseUrl: string, logLevel = 'info'): GatewayConfig {
  return {
    port: 0,
    host: '127.0.0.1',
    externalUrl,
    databaseUrl,
    amqpUrl: 'amqp://unused.invalid',
    namespace: 'test',
    storageUrl: '/nonexistent',
    pagesDirectory: '/nonexistent',
    requestHoldMs: 0,
    jobLogLimit: 1_048_576,
    triggerRequestDays: 30,
    artifactLimit: 1_048_576,
    triggerTokens: 'once',
    triggerLimits: { perAddress: 0, perToken: 0, perProject: 0 },
    failedTokenLimit: 0,
    bodyMemory: 134_217_728,
    trustedProxies: [],
    logLevel,
  };
}

@Global()
@Module({})
class Features {}

function featuresOf(controllers: Type[], providers: Provider[]): DynamicModule {
  return {
    module: Features,
    controllers,
    providers,
    exports: [DataSource],
  };
}

/** What the token service's view would say about one access token. */
export interface TestToken {
  token: string;
  userId: number;
  scopes?: string[];
  expiresAt?: Date;
  revoked?: boolean;
  state?: 'active' | 'blocked';
  admin?: boolean;
  memberships?: Record<string, number>;
}

export async function addToken(database: DataSource, token: TestToken): Promise<string> {
  await database.query(
    `insert into tokens.access_credentials values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now(), $12)`,
    [
      createHash('sha256').update(token.token).digest(),
      token.userId + 1000,
      token.scopes ?? ['api'],
      token.expiresAt ?? null,
      token.revoked ?? false,
      token.userId,
      `user${token.userId}`,
      `User ${token.userId}`,
      null,
      token.state ?? 'active',
      token.admin ?? false,
      token.memberships ?? {},
    ],
  );
  return token.token;
}

export interface TestProject {
  id: number;
  path: string;
  current?: boolean;
  visibility?: string;
  publicJobs?: boolean;
  builds?: string;
  state?: string;
  archived?: boolean;
}

export async function addProject(database: DataSource, project: TestProject): Promise<void> {
  await database.query(`insert into pipelines.project_addresses values ($1, $2, $3, $4, $5, $6, $7, $8)`, [
    project.id,
    project.path,
    project.current ?? true,
    project.visibility ?? 'private',
    project.publicJobs ?? true,
    project.builds ?? 'enabled',
    project.state ?? 'active',
    project.archived ?? false,
  ]);
}

export async function addJob(
  database: DataSource,
  token: string,
  projectId: number,
  status = 'running',
): Promise<string> {
  await database.query(`insert into pipelines.job_credentials values ($1, 77, $2, 7, 1, $3, false, null)`, [
    createHash('sha256').update(token).digest(),
    projectId,
    status,
  ]);
  return token;
}
