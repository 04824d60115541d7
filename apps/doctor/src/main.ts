import { ConfigError } from '#libs/process';
import { checkBroker } from './check-broker.js';
import { checkDatabase } from './check-database.js';
import { checkGateway } from './check-gateway.js';
import { checkMachine } from './check-machine.js';
import { readConfig } from './config.js';
import { report } from './finding.js';

/** `flagfall doctor`: looks at everything that an installation needs, from where it is started, and changes nothing. Ends with 1 when something is wrong. */
try {
  const config = readConfig(process.env);
  const findings = await Promise.all([
    checkGateway(config.gatewayUrl),
    checkDatabase(config.databaseUrl),
    checkBroker(config.amqpUrl, config.namespace),
    checkMachine(config),
  ]);
  console.log(report(findings.flat()));
  process.exitCode = findings.flat().some(({ state }) => state === 'wrong') ? 1 : 0;
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
