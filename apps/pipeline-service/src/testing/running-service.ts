import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestMicroservice } from '@nestjs/common';
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import { type Actor, MakeOwner, message, messageProblems, type Request, type RequestClass } from '#libs/contracts';
import { InProcessBus, InProcessStrategy } from '#libs/messaging';
import { openDatabase } from '#libs/persistence';
import { Metrics } from '#libs/process';
import { MemoryParkedStore } from '../../../../libs/messaging/src/testing/memory-parked-store.js';
import { RecordedLog } from '../../../../libs/messaging/src/testing/recorded-log.js';
import { type Handler, listen, onRequest } from '../../../../libs/messaging/src/testing/service.js';
import { scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { PipelineServiceConfig } from '../config.js';
import { createPipelineService } from '../pipeline-service.module.js';
import { pipelinesSchema } from '../schema/index.js';

type ReplyOf<Asked> = Asked extends Request<infer Reply> ? Reply : never;

/** The pipeline service on a database of its own, beside a service that makes owners. */
export interface RunningService {
  readonly service: INestMicroservice;
  readonly database: DataSource;
  readonly bus: InProcessBus;
  readonly config: PipelineServiceConfig;
  /** A directory below which anybody may name repositories. */
  readonly root: string;
  /** Project and user of everybody who was made an Owner. */
  readonly owners: [projectId: number, userId: number][];
  /** Asks the service; rejects as its handler did. */
  ask<Asked extends Request<unknown>>(
    type: RequestClass<ReplyOf<Asked>> & (new () => Asked),
    fields: Omit<Asked, 'replyType'>,
  ): Promise<ReplyOf<Asked>>;
  stop(): Promise<void>;
}

export interface RunningServiceOptions {
  /** Answers `member.make-owner`; null: nobody does. */
  makeOwner?: ((order: MakeOwner) => unknown) | null;
  /** Handlers of other services. */
  others?: Handler[];
}

/** Starts the service in this process; `name` tells its database apart. */
export async function startService(name: string, options: RunningServiceOptions = {}): Promise<RunningService> {
  const { makeOwner = () => ({}), others = [] } = options;
  const directory = await mkdtemp(join(tmpdir(), `flagfall-${name}-`));
  const scratch = await scratchDatabase(name);
  const log = pino({ level: 'silent' });
  const database = await openDatabase({ url: scratch.url }, pipelinesSchema, log);
  const bus = new InProcessBus({ validate: messageProblems, parked: new MemoryParkedStore() });
  const owners: [number, number][] = [];
  const answers = makeOwner
    ? [
        onRequest(MakeOwner.pattern, async (order: MakeOwner) => {
          const answer = await makeOwner(order);
          owners.push([order.projectId, order.userId]);
          return answer;
        }),
      ]
    : [];
  const peers = await listen(
    new InProcessStrategy({ bus, service: 'peers' }),
    [...answers, ...others],
    new RecordedLog(),
  );
  const config = Object.assign(new PipelineServiceConfig(), {
    cacheDir: join(directory, 'cache'),
    repositories: {
      schemes: ['https', 'http', 'ssh', 'file'],
      roots: [join(directory, 'repositories')],
      privateHosts: [],
      loopback: true,
      forbiddenRoots: [join(directory, 'cache')],
    },
    secretKey: 'a key for tests, of forty characters ....',
    externalUrl: 'http://flagfall.test',
  } satisfies Partial<PipelineServiceConfig>);
  const strategy = new InProcessStrategy({ bus, service: 'pipeline-service' });
  const service = await createPipelineService({ config, database, bus, strategy, log, metrics: new Metrics() });
  return {
    service,
    database,
    bus,
    config,
    root: join(directory, 'repositories'),
    owners,
    ask: (type, fields) => bus.request(type.pattern, message(type, fields as never), { timeoutMs: 60_000 }),
    async stop() {
      await service.close();
      await peers.close();
      await bus.close();
      await database.destroy();
      await scratch.drop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Somebody who asks; an administrator unless told otherwise. */
export function newActor(facts: Partial<Actor> = {}): Actor {
  return {
    id: 1,
    username: 'root',
    name: 'Administrator',
    email: null,
    state: 'active',
    admin: true,
    createdAt: '2026-01-01T00:00:00.000Z',
    accessLevel: 50,
    ...facts,
  };
}
