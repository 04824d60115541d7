import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import { messageProblems } from '#libs/contracts';
import { RabbitBus, RabbitStrategy } from '#libs/messaging';
import { installationId, openDatabase, type Schema } from '#libs/persistence';
import { ConfigError } from './environment.js';
import { checkAll, openHealthPort, type HealthAddress, type HealthReport } from './health-port.js';
import { createLog } from './log.js';
import { measureDatabase, measureMessages, Metrics } from './metrics.js';

/** What every service is told: where its database and its broker are. */
export interface ServiceSettings {
  databaseUrl: string;
  migrationDatabaseUrl?: string;
  amqpUrl: string;
  /** Prefix of this installation's exchanges and queues. */
  namespace: string;
  logLevel: string;
  /** Where it tells how it is, if anywhere. */
  health?: HealthAddress;
}

/** What a service is made of; it does not know which transport it is on. */
export interface ServiceParts {
  database: DataSource;
  bus: RabbitBus;
  strategy: RabbitStrategy;
  log: Logger;
  metrics: Metrics;
}

interface Closable {
  close(): Promise<unknown>;
}

/** A service that works. */
export interface RunningService extends Closable {
  /** How it is, where it knows that better than its database and its broker. */
  report?: () => Promise<HealthReport>;
}

/**
 * Runs one service as a process of its own, on PostgreSQL and RabbitMQ, until it is told to stop: the first SIGTERM or SIGINT lets it finish
 * what it has begun (its `close` drains), a second one ends it at once. Faults of the configuration are printed together, without a stack.
 *
 * @param name of the service, as queues and logs call it
 * @param readSettings reads the environment; throws ConfigError
 * @param start makes the service and returns once it works
 */
export async function runService<Settings extends ServiceSettings>(
  name: string,
  schema: Schema,
  readSettings: (env: NodeJS.ProcessEnv) => Settings,
  start: (settings: Settings, parts: ServiceParts) => Promise<RunningService>,
): Promise<void> {
  let log: Logger | undefined;
  try {
    const settings = readSettings(process.env);
    log = createLog(name, settings.logLevel);
    const { databaseUrl: url, migrationDatabaseUrl: migrationUrl } = settings;
    const database = await openDatabase({ url, migrationUrl }, schema, log);
    // The owner of all schemas was needed until here. Nothing that runs in this process or is started by it finds it any more.
    delete process.env.MIGRATION_DATABASE_URL;
    delete settings.migrationDatabaseUrl;
    const bus = new RabbitBus({
      url: settings.amqpUrl,
      namespace: settings.namespace,
      installation: await installationId(database),
      validate: messageProblems,
      name,
    });
    const strategy = new RabbitStrategy({ bus, service: name });
    const metrics = new Metrics();
    // Before all else, which takes connections to be read.
    measureDatabase(metrics, database, schema.name);
    const service = await start(settings, { database, bus, strategy, log, metrics });
    measureMessages(metrics, bus, strategy);
    const parts: Closable[] = [service, bus, { close: () => database.destroy() }];
    if (settings.health) {
      const checks = {
        database: async () => Boolean(await database.query('select 1')),
        broker: () => bus.connected && strategy.connected,
      };
      const report = service.report ?? (() => checkAll(checks));
      parts.unshift(await openHealthPort(settings.health, report, metrics));
    }
    log.info(`${name} is ready`);
    stopOnSignal(log, parts);
  } catch (error) {
    if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
    else if (log) log.fatal({ err: error }, `${name} could not start`);
    else process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  }
}

/** In this order: the handlers first, since they still publish and write. */
function stopOnSignal(log: Logger, parts: Closable[]): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1);
    stopping = true;
    log.info(`${signal}: finishing what has begun`);
    closeAll(parts).then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'could not stop in good order');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

async function closeAll(parts: Closable[]): Promise<void> {
  for (const part of parts) await part.close();
}
