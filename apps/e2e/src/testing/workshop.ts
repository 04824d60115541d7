import { randomBytes } from 'node:crypto';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import { connect } from 'amqplib';
import { messageProblems } from '#libs/contracts';
import { type Bus, RabbitBus, RabbitStrategy } from '#libs/messaging';
import { openDatabase, type Schema } from '#libs/persistence';
import { AMQP_URL } from '../../../../libs/messaging/src/testing/broker.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { readConfig as readGatewayConfig } from '../../../gateway/src/config.js';
import { createGatewayApp } from '../../../gateway/src/gateway.module.js';
import { gatewaySchema } from '../../../gateway/src/schema/index.js';
import { readConfig as readPipelineServiceConfig } from '../../../pipeline-service/src/config.js';
import { createPipelineService } from '../../../pipeline-service/src/pipeline-service.module.js';
import { TestRepository } from '../../../pipeline-service/src/repositories/testing/test-repository.js';
import { pipelinesSchema } from '../../../pipeline-service/src/schema/index.js';
import { tokensSchema } from '../../../token-service/src/schema/index.js';
import { createTokenService } from '../../../token-service/src/token-service.module.js';

/** What a caller got; `body` is parsed where it is JSON, and text otherwise. */
export interface Answer {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests know what they asked for
  body: any;
  headers: Headers;
}

export interface Call {
  /** Sent as PRIVATE-TOKEN; the first administrator's where not given, null for none. */
  token?: string | null;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  bytes?: Buffer;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** A project with a repository on local disk, and how to start its pipelines. */
export interface TestProject {
  id: number;
  path: string;
  repository: TestRepository;
  triggerToken: string;
}

/** The three services on RabbitMQ and a PostgreSQL database of their own, behind a port under which runners and git reach them, too. */
export class Workshop {
  private constructor(
    readonly url: string,
    readonly directory: string,
    private readonly rootToken: string,
    /** For what a test must see or change behind the services' backs. */
    readonly database: DataSource,
    readonly bus: Bus,
    private readonly closers: (() => Promise<unknown>)[],
  ) {}

  /** @param settings further ones, named as in the environment */
  static async open(name: string, settings: Record<string, string> = {}): Promise<Workshop> {
    const log = pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' });
    const directory = await realpath(await mkdtemp(join(tmpdir(), `flagfall-${name}-`)));
    const scratch = await scratchDatabase(name);
    const namespace = `flagfall-${name}-${randomBytes(4).toString('hex')}`;
    const buses: RabbitBus[] = [];
    const strategies: RabbitStrategy[] = [];
    const closers: (() => Promise<unknown>)[] = [
      () => rm(directory, { recursive: true, force: true, maxRetries: 5 }),
      () => scratch.drop(),
      () => removeFromBroker(buses, strategies),
    ];
    try {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const rootToken = `glpat-${randomBytes(20).toString('hex')}`;
      const env = {
        DATABASE_URL: scratch.url,
        AMQP_URL,
        NAMESPACE: namespace,
        EXTERNAL_URL: url,
        SECRET_KEY: 'a secret key for tests, which is long enough',
        CACHE_DIR: join(directory, 'cache'),
        STORAGE_URL: join(directory, 'storage'),
        REPOSITORY_SCHEMES: 'file,http,https',
        REPOSITORY_HOSTS: 'localhost',
        ROOT_TOKEN: rootToken,
        ...settings,
      };
      const parts = async (schema: Schema, service: string) => {
        const database = await openDatabase({ url: scratch.url, poolSize: 5 }, schema, log);
        closers.push(() => database.destroy());
        const bus = new RabbitBus({
          url: AMQP_URL,
          namespace,
          installation: namespace,
          validate: messageProblems,
          name: service,
        });
        closers.push(() => bus.close());
        buses.push(bus);
        await new Promise<void>((resolve) => bus.onConnected(resolve));
        const strategy = new RabbitStrategy({ bus, service });
        strategies.push(strategy);
        return { database, bus, log, strategy };
      };
      const tokens = await createTokenService(await parts(tokensSchema, 'token-service'));
      closers.push(() => tokens.close());
      const own = await parts(pipelinesSchema, 'pipeline-service');
      const pipelines = await createPipelineService({ config: readPipelineServiceConfig(env), ...own });
      closers.push(() => pipelines.close());
      const gateway = await createGatewayApp({
        config: readGatewayConfig(env),
        ...(await parts(gatewaySchema, 'gateway')),
      });
      closers.push(() => gateway.close());
      await gateway.listen(port, '127.0.0.1');
      await until('the gateway to be ready', async () => (await fetch(`${url}/-/readiness`)).ok);
      return new Workshop(url, directory, rootToken, own.database, own.bus, closers);
    } catch (error) {
      await closeAll(closers);
      throw error;
    }
  }

  close(): Promise<void> {
    return closeAll(this.closers);
  }

  /** @param path below `/api/v4` */
  async call(method: string, path: string, call: Call = {}): Promise<Answer> {
    const { token = this.rootToken, json, bytes, headers, signal } = call;
    const response = await fetch(`${this.url}/api/v4${path}`, {
      method,
      signal,
      redirect: 'manual',
      headers: {
        ...(token === null ? {} : { 'PRIVATE-TOKEN': token }),
        ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: json === undefined ? bytes && new Uint8Array(bytes) : JSON.stringify(json),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type') === 'application/json';
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  }

  /** The body of a call that must succeed. */
  async must(method: string, path: string, call: Call = {}) {
    const { status, body } = await this.call(method, path, call);
    if (status >= 300) throw new Error(`${method} ${path} was answered ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** Makes a project whose repository has these files on `main`. */
  async newProject(name: string, files: Record<string, string>, more: object = {}): Promise<TestProject> {
    const repository = await TestRepository.create(join(this.directory, 'repositories', name));
    await repository.commit(files, 'First');
    const { id, path_with_namespace } = await this.must('POST', '/projects', {
      json: { path: name, name, namespace: 'crew', import_url: repository.path, default_branch: 'main', ...more },
    });
    const { token } = await this.must('POST', `/projects/${id}/triggers`, { json: { description: 'test' } });
    return { id, path: path_with_namespace, repository, triggerToken: token };
  }

  /** Starts a pipeline with the trigger token. @returns its id */
  async trigger(project: TestProject, ref = 'main', variables: Record<string, string> = {}): Promise<number> {
    const { id } = await this.must('POST', `/projects/${project.id}/trigger/pipeline`, {
      token: null,
      json: { token: project.triggerToken, ref, variables },
    });
    return id;
  }

  /** Makes an instance runner, or one of whatever kind `settings` say. @returns its token */
  async newRunner(settings: object = {}): Promise<string> {
    return (await this.must('POST', '/user/runners', { json: { runner_type: 'instance_type', ...settings } })).token;
  }

  /** Jobs of a pipeline by name. */
  // oxlint-disable-next-line typescript/no-explicit-any -- as the API gives them
  async jobs(project: TestProject, pipelineId: number): Promise<Record<string, any>> {
    const jobs = await this.must('GET', `/projects/${project.id}/pipelines/${pipelineId}/jobs?per_page=100`);
    return Object.fromEntries(jobs.map((job: { name: string }) => [job.name, job]));
  }

  async pipelineStatus(project: TestProject, pipelineId: number): Promise<string> {
    return (await this.must('GET', `/projects/${project.id}/pipelines/${pipelineId}`)).status;
  }
}

async function closeAll(closers: (() => Promise<unknown>)[]): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function removeFromBroker(buses: RabbitBus[], strategies: RabbitStrategy[]): Promise<void> {
  const model = await connect(AMQP_URL, { noDelay: true });
  const channel = await model.createChannel();
  for (const queue of strategies.flatMap(({ queues }) => queues)) await channel.deleteQueue(queue);
  for (const exchange of Object.values(buses[0]?.exchanges ?? {})) await channel.deleteExchange(exchange);
  await model.close();
}
