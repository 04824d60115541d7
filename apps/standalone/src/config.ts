import { resolve } from 'node:path';
import { Environment, logLevels } from '#libs/process';

/** What the one process is told from outside, beside what its services read for themselves (architecture.md §4). */
export interface StandaloneConfig {
  /** Absolute. */
  dataDir: string;
  host: string;
  /** 0 takes any free one. */
  port: number;
  /** PostgreSQL to use instead of the embedded one. */
  databaseUrl?: string;
  migrationDatabaseUrl?: string;
  /** RabbitMQ to use instead of messages within the process. */
  amqpUrl?: string;
  /** Prefix of this installation's exchanges and queues on RabbitMQ. */
  namespace: string;
  rootToken?: string;
  secretKey?: string;
  /** Jobs that the built-in runner takes at once; 0 switches it off. */
  runnerConcurrency: number;
  /** Whether an empty installation gets the demo project. */
  demo: boolean;
  logLevel: string;
}

const mostJobs = 256;

/**
 * Reads the environment of `npm start`.
 * @throws ConfigError with everything that is wrong
 */
export function readConfig(env: NodeJS.ProcessEnv): StandaloneConfig {
  const environment = new Environment(env);
  const config: StandaloneConfig = {
    dataDir: resolve(environment.text('DATA_DIR') ?? './data'),
    host: environment.text('HOST') ?? '127.0.0.1',
    port: environment.whole('PORT', 8080, 0, 65_535),
    databaseUrl: environment.text('DATABASE_URL'),
    migrationDatabaseUrl: environment.text('MIGRATION_DATABASE_URL'),
    amqpUrl: environment.text('AMQP_URL'),
    namespace: environment.namespace(),
    rootToken: environment.text('ROOT_TOKEN'),
    secretKey: environment.text('SECRET_KEY'),
    runnerConcurrency: environment.whole('RUNNER_CONCURRENCY', 2, 0, mostJobs),
    demo: environment.oneOf('DEMO', ['true', 'false'], 'true') === 'true',
    // Below it, lines of JSON would hide what a person at a terminal is told.
    logLevel: environment.oneOf('LOG_LEVEL', logLevels, 'warn'),
  };
  environment.check('Flagfall');
  return config;
}

/** Whether only this machine reaches a server that listens there: then local repositories are nobody else's business. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
