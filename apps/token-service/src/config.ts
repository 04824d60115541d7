/** Everything that the token service is told from outside. */
export interface TokenServiceConfig {
  databaseUrl: string;
  /** Owns schemas and grants; the same as `databaseUrl` where there is only one role. */
  migrationDatabaseUrl?: string;
  amqpUrl: string;
  /** Prefix of this installation's exchanges and queues. */
  namespace: string;
  logLevel: string;
}

/** What the operator has to correct, all of it at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  /** @param faults one sentence each, naming the variable and never its value */
  constructor(readonly faults: string[]) {
    super(`The token service cannot start:\n${faults.map((fault) => `- ${fault}`).join('\n')}`);
  }
}

const postgres = ['postgres:', 'postgresql:'];
const amqp = ['amqp:', 'amqps:'];
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/**
 * Reads the environment of the token service's process (architecture.md §4).
 * @throws ConfigError with everything that is wrong
 */
export function readConfig(env: NodeJS.ProcessEnv): TokenServiceConfig {
  const given = (name: string): string | undefined => env[name]?.trim() || undefined;
  const faults: string[] = [];
  const address = (name: string, protocols: string[], required: boolean): string | undefined => {
    const value = given(name);
    const forms = protocols.map((protocol) => `${protocol}//`).join(' or ');
    if (value === undefined) {
      if (required) faults.push(`${name} is missing: give an address that begins with ${forms}`);
    } else if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
      faults.push(`${name} is not an address that begins with ${forms}`);
    }
    return value;
  };
  const config: TokenServiceConfig = {
    databaseUrl: address('DATABASE_URL', postgres, true) ?? '',
    migrationDatabaseUrl: address('MIGRATION_DATABASE_URL', postgres, false),
    amqpUrl: address('AMQP_URL', amqp, true) ?? '',
    namespace: given('NAMESPACE') ?? 'flagfall',
    logLevel: given('LOG_LEVEL') ?? 'info',
  };
  if (!/^[\w-]{1,50}$/.test(config.namespace)) {
    faults.push('NAMESPACE may have letters, digits, _ and - only, 50 at most');
  }
  if (!logLevels.includes(config.logLevel)) faults.push(`LOG_LEVEL is not one of ${logLevels.join(', ')}`);
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}
