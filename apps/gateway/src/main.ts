import { runService } from '#libs/process';
import { readConfig } from './config.js';
import { createGatewayApp } from './gateway.module.js';
import { Readiness } from './health/readiness.js';
import { gatewaySchema } from './schema/index.js';

await runService('gateway', gatewaySchema, readConfig, async (config, parts) => {
  const app = await createGatewayApp({ config, ...parts });
  await app.listen(config.port, config.host);
  return { report: () => app.get(Readiness).report(), close: () => app.close() };
});
