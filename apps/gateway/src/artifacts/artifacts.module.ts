import { Module } from '@nestjs/common';
import { GatewayConfig } from '../config.js';
import { ArtifactFiles } from '../storage/artifact-files.js';
import { Artifacts } from './artifacts.js';
import { ArtifactsRemovedHandler } from './artifacts-removed.handler.js';
import { JobArtifactsController } from './job-artifacts.controller.js';
import { RunnerArtifactsController } from './runner-artifacts.controller.js';

/** What jobs leave for people and for later jobs. */
@Module({
  controllers: [RunnerArtifactsController, JobArtifactsController, ArtifactsRemovedHandler],
  providers: [
    Artifacts,
    {
      provide: ArtifactFiles,
      useFactory: (config: GatewayConfig) => new ArtifactFiles(config.storageUrl),
      inject: [GatewayConfig],
    },
  ],
})
export class ArtifactsModule {}
