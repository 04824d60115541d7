import { resolve } from 'node:path';

/** What the one process is told from outside, beside what its services read for themselves (architecture.md §4). */
export interface StandaloneConfig {
  /** Absolute. */
  dataDir: string;
  host: string;
  /** 0 takes any free one. */
  port: number;
  /** PostgreSQL to use instead of the embedded one. */
  databaseUrl?: string;
  /** RabbitMQ to use instead of messages within the process. */
  amqpUrl?: string;
  rootToken?: string;
  secretKey?: string;
  /** Jobs that the built-in runner takes at once; 0 switches it off. */
  runnerConcurrency: number;
  /** Whether an empty installation gets the demo project. */
  demo: boolean;
}

/** What the operator has to correct, all of it at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  /** @param faults one sentence each, naming the variable and never a secret's value */
  constructor(readonly faults: string[]) {
    super(`Flagfall cannot start:\n${faults.map((fault) => `- ${fault}`).join('\n')}`);
  }
}

const mostJobs = 256;

/**
 * Reads the environment of `npm start`.
 * @throws ConfigError with everything that is wrong
 */
export function readConfig(env: NodeJS.ProcessEnv): StandaloneConfig {
  const faults: string[] = [];
  const given = (name: string): string | undefined => env[name]?.trim() || undefined;
  const whole = (name: string, usual: number, most: number): number => {
    const value = Number(given(name) ?? usual);
    if (!Number.isInteger(value) || value < 0 || value > most)
      faults.push(`${name} is not a whole number from 0 to ${most}`);
    return value;
  };
  const demo = given('DEMO') ?? 'true';
  if (demo !== 'true' && demo !== 'false') faults.push('DEMO is neither true nor false');
  const config: StandaloneConfig = {
    dataDir: resolve(given('DATA_DIR') ?? './data'),
    host: given('HOST') ?? '127.0.0.1',
    port: whole('PORT', 8080, 65_535),
    databaseUrl: given('DATABASE_URL'),
    amqpUrl: given('AMQP_URL'),
    rootToken: given('ROOT_TOKEN'),
    secretKey: given('SECRET_KEY'),
    runnerConcurrency: whole('RUNNER_CONCURRENCY', 2, mostJobs),
    demo: demo === 'true',
  };
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

/** Whether only this machine reaches a server that listens there: then local repositories are nobody else's business. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
