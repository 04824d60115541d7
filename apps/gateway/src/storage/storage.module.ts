import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { GatewayConfig } from '../config.js';
import { ArtifactFiles } from './artifact-files.js';
import { JobLogs } from './job-logs.js';
import { Storage } from './storage.js';
import { liveLogsIn, openStorage } from './storage-url.js';

/** Where the bytes of jobs lie. */
@Module({
  providers: [
    {
      provide: Storage,
      useFactory: ({ storageUrl }: GatewayConfig) => openStorage(storageUrl),
      inject: [GatewayConfig],
    },
    {
      provide: JobLogs,
      useFactory: (storage: Storage) => new JobLogs(liveLogsIn(storage), storage),
      inject: [Storage],
    },
    { provide: ArtifactFiles, useFactory: (storage: Storage) => new ArtifactFiles(storage), inject: [Storage] },
  ],
  exports: [JobLogs, ArtifactFiles],
})
export class StorageModule implements OnApplicationShutdown {
  constructor(private readonly logs: JobLogs) {}

  /** A log that is being packed is packed to its end. */
  async onApplicationShutdown(): Promise<void> {
    await this.logs.settled();
  }
}
