import { resolve } from 'node:path';

/** Everything that the gateway is told from outside (architecture.md §4). A class, so that Nest can inject it. */
export class GatewayConfig {
  port!: number;
  host!: string;
  /** What callers and runners reach the gateway by; without a slash at the end. */
  externalUrl!: string;
  databaseUrl!: string;
  migrationDatabaseUrl?: string;
  amqpUrl!: string;
  /** Prefix of this installation's exchanges and queues. */
  namespace!: string;
  /** Where logs and artifacts are: a directory as an absolute path or `file:` URL, or an `s3:` URL. */
  storageUrl!: string;
  /** Access token of the first administrator, applied at every start. */
  rootToken?: string;
  /** `once`: trigger tokens are shown in full only when made; `retrievable`: their owners see them again, as in GitLab. */
  triggerTokens!: 'once' | 'retrievable';
  /** Seals retrievable trigger tokens; there when `triggerTokens` needs it. */
  secretKey?: string;
  logLevel!: string;
}

/** What the operator has to correct, all of it at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  /** @param faults one sentence each, naming the variable and never a secret's value */
  constructor(readonly faults: string[]) {
    super(`The gateway cannot start:\n${faults.map((fault) => `- ${fault}`).join('\n')}`);
  }
}

/** Shorter keys are guesses; this is what `openssl rand -hex 16` prints. */
const secretLength = 32;
const rootTokenLength = 20;
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/**
 * Reads the environment of the gateway's process.
 * @throws ConfigError with everything that is wrong
 */
export function readConfig(env: NodeJS.ProcessEnv): GatewayConfig {
  const faults: string[] = [];
  const given = (name: string): string | undefined => env[name]?.trim() || undefined;
  const url = (name: string, protocols: string[], required = false): string | undefined => {
    const value = given(name);
    if (value === undefined) {
      if (required) faults.push(`${name} is missing: give an address that begins with ${protocols[0]}//`);
    } else if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
      faults.push(`${name} is not an address that begins with ${protocols.map((each) => `${each}//`).join(' or ')}`);
    }
    return value;
  };
  const oneOf = <Word extends string>(name: string, words: readonly Word[], usual: Word): Word => {
    const value = given(name) ?? usual;
    if (!(words as readonly string[]).includes(value)) faults.push(`${name} is not one of ${words.join(', ')}`);
    return value as Word;
  };

  const host = given('HOST') ?? '127.0.0.1';
  const port = Number(given('PORT') ?? 8080);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) faults.push('PORT is not a number from 0 to 65535');

  const triggerTokens = oneOf('TRIGGER_TOKENS', ['once', 'retrievable'], 'once');
  const secretKey = given('SECRET_KEY');
  if (secretKey === undefined && triggerTokens === 'retrievable')
    faults.push('SECRET_KEY is missing: TRIGGER_TOKENS=retrievable keeps trigger tokens encrypted under it');
  if (secretKey !== undefined && secretKey.length < secretLength)
    faults.push(`SECRET_KEY is too short: give at least ${secretLength} random characters, the same in all services`);

  const rootToken = given('ROOT_TOKEN');
  if (rootToken !== undefined && rootToken.length < rootTokenLength)
    faults.push(`ROOT_TOKEN is too short: give at least ${rootTokenLength} random characters`);

  const config: GatewayConfig = {
    port,
    host,
    externalUrl: (url('EXTERNAL_URL', ['http:', 'https:']) ?? `http://${printableHost(host)}:${port}`).replace(
      /\/+$/,
      '',
    ),
    databaseUrl: url('DATABASE_URL', ['postgres:', 'postgresql:'], true) ?? '',
    migrationDatabaseUrl: url('MIGRATION_DATABASE_URL', ['postgres:', 'postgresql:']),
    amqpUrl: url('AMQP_URL', ['amqp:', 'amqps:'], true) ?? '',
    namespace: given('NAMESPACE') ?? 'flagfall',
    storageUrl: given('STORAGE_URL') ?? resolve(given('DATA_DIR') ?? './data', 'storage'),
    rootToken,
    triggerTokens,
    secretKey,
    logLevel: oneOf('LOG_LEVEL', logLevels, 'info'),
  };
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

/** The address that reaches a server which listens on `host`. */
function printableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
