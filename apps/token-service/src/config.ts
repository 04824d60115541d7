import { Environment, logLevels, readHealthAddress, type ServiceSettings } from '#libs/process';

const postgres = ['postgres:', 'postgresql:'];

/**
 * Reads the environment of the token service's process (architecture.md §4).
 * @throws ConfigError with everything that is wrong
 */
export function readConfig(env: NodeJS.ProcessEnv): ServiceSettings {
  const given = new Environment(env);
  const settings: ServiceSettings = {
    databaseUrl: given.requiredUrl('DATABASE_URL', postgres),
    migrationDatabaseUrl: given.url('MIGRATION_DATABASE_URL', postgres),
    amqpUrl: given.requiredUrl('AMQP_URL', ['amqp:', 'amqps:']),
    namespace: given.namespace(),
    logLevel: given.oneOf('LOG_LEVEL', logLevels, 'info'),
    health: readHealthAddress(given),
  };
  given.check('The token service');
  return settings;
}
