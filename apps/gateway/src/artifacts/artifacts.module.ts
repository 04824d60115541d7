import { Module } from '@nestjs/common';
import { StorageModule } from '../storage/storage.module.js';
import { Artifacts } from './artifacts.js';
import { ArtifactsRemovedHandler } from './artifacts-removed.handler.js';
import { JobArtifactsController } from './job-artifacts.controller.js';
import { RunnerArtifactsController } from './runner-artifacts.controller.js';

/** What jobs leave for people and for later jobs. */
@Module({
  imports: [StorageModule],
  controllers: [RunnerArtifactsController, JobArtifactsController, ArtifactsRemovedHandler],
  providers: [Artifacts],
})
export class ArtifactsModule {}
