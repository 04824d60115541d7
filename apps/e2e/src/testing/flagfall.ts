import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { messageProblems } from '#libs/contracts';
import { InProcessBus, InProcessStrategy } from '#libs/messaging';
import { openDatabase, type Schema } from '#libs/persistence';
import { MemoryParkedStore } from '../../../../libs/messaging/src/testing/memory-parked-store.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { readConfig as readGatewayConfig } from '../../../gateway/src/config.js';
import { createGatewayApp } from '../../../gateway/src/gateway.module.js';
import { gatewaySchema } from '../../../gateway/src/schema/index.js';
import { readConfig as readPipelineServiceConfig } from '../../../pipeline-service/src/config.js';
import { createPipelineService } from '../../../pipeline-service/src/pipeline-service.module.js';
import { pipelinesSchema } from '../../../pipeline-service/src/schema/index.js';
import { tokensSchema } from '../../../token-service/src/schema/index.js';
import { createTokenService } from '../../../token-service/src/token-service.module.js';

export const externalUrl = 'https://ci.example.com';

/** What a caller got. */
export interface Answer {
  status: number;
  /** Parsed where it is JSON; undefined where there is none. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests know what they asked for
  body: any;
  headers: Headers;
}

export interface CallOptions {
  /** An access token, sent as PRIVATE-TOKEN. */
  token?: string;
  /** Sent as JSON. */
  json?: unknown;
  headers?: Record<string, string>;
}

/** Gateway, token service and pipeline service on a PostgreSQL database of their own, in this process, behind a real HTTP port. */
export interface Flagfall {
  url: string;
  /** Access token of the first administrator. */
  rootToken: string;
  /** @param path below `/api/v4` */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  stop(): Promise<void>;
}

/** @param environment further settings, named as in the environment */
export async function startFlagfall(environment: Record<string, string> = {}): Promise<Flagfall> {
  const log = pino({ level: 'silent' });
  const directory = await mkdtemp(join(tmpdir(), 'flagfall-e2e-'));
  const scratch = await scratchDatabase('e2e');
  const rootToken = `glpat-${randomBytes(15).toString('base64url')}`;
  const settings = {
    DATABASE_URL: scratch.url,
    AMQP_URL: 'amqp://unused.invalid',
    EXTERNAL_URL: externalUrl,
    SECRET_KEY: 'a secret key for tests, which is long enough',
    CACHE_DIR: join(directory, 'cache'),
    STORAGE_URL: join(directory, 'storage'),
    ROOT_TOKEN: rootToken,
    ...environment,
  };
  const open = (schema: Schema) => openDatabase({ url: scratch.url, poolSize: 5 }, schema, log);
  const databases = [await open(tokensSchema), await open(pipelinesSchema), await open(gatewaySchema)] as const;
  const bus = new InProcessBus({ validate: messageProblems, parked: new MemoryParkedStore() });
  const on = (database: (typeof databases)[number], service: string) => ({
    database,
    bus,
    log,
    strategy: new InProcessStrategy({ bus, service }),
  });
  const tokens = await createTokenService(on(databases[0], 'token-service'));
  const pipelines = await createPipelineService({
    config: readPipelineServiceConfig(settings),
    ...on(databases[1], 'pipeline-service'),
  });
  const gateway = await createGatewayApp({ config: readGatewayConfig(settings), ...on(databases[2], 'gateway') });
  await gateway.listen(0, '127.0.0.1');
  const { port } = gateway.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  await until('the gateway is ready', async () => (await fetch(`${url}/-/readiness`)).ok);
  return {
    url,
    rootToken,
    call: (method, path, options) => call(method, `${url}/api/v4${path}`, options),
    async stop() {
      await gateway.close();
      await pipelines.close();
      await tokens.close();
      await bus.close();
      for (const database of databases) await database.destroy();
      await scratch.drop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function call(method: string, url: string, { token, json, headers }: CallOptions = {}): Promise<Answer> {
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    headers: {
      ...(token === undefined ? {} : { 'PRIVATE-TOKEN': token }),
      ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    body: json === undefined ? undefined : JSON.stringify(json),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text), headers: response.headers };
}
