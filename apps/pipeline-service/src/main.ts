import { runService } from '#libs/process';
import { readConfig } from './config.js';
import { createPipelineService } from './pipeline-service.module.js';
import { pipelinesSchema } from './schema/index.js';

await runService('pipeline-service', pipelinesSchema, readConfig, (config, parts) =>
  createPipelineService({ config, ...parts }),
);
