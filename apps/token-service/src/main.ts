import { runService } from '#libs/process';
import { readConfig } from './config.js';
import { tokensSchema } from './schema/index.js';
import { createTokenService } from './token-service.module.js';

await runService('token-service', tokensSchema, readConfig, (_, parts) => createTokenService(parts));
