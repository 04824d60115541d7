import { Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Log } from '../log.js';
import { Services } from '../services.js';
import { ArtifactFiles } from '../storage/artifact-files.js';
import { StorageModule } from '../storage/storage.module.js';
import { Artifacts } from './artifacts.js';
import { ArtifactsRemovedHandler } from './artifacts-removed.handler.js';
import { JobArtifactsController } from './job-artifacts.controller.js';
import { OrphanSweeper } from './orphan-sweeper.js';
import { RunnerArtifactsController } from './runner-artifacts.controller.js';

/** What jobs leave for people and for later jobs. */
@Module({
  imports: [StorageModule],
  controllers: [RunnerArtifactsController, JobArtifactsController, ArtifactsRemovedHandler],
  providers: [
    Artifacts,
    {
      provide: OrphanSweeper,
      useFactory: (files: ArtifactFiles, services: Services, log: Log) => new OrphanSweeper(files, services, log),
      inject: [ArtifactFiles, Services, Log],
    },
  ],
})
export class ArtifactsModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(private readonly sweeper: OrphanSweeper) {}

  onApplicationBootstrap(): void {
    this.sweeper.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.sweeper.stop();
  }
}
