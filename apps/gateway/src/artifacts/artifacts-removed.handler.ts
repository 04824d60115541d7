import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { ArtifactsRemoved } from '#libs/contracts';
import { EventPattern, type Message } from '#libs/messaging';
import { ArtifactFiles } from '../storage/artifact-files.js';

/** Deletes the bytes that no record speaks of any more. Hearing of it twice is no fault. */
@Controller()
export class ArtifactsRemovedHandler {
  constructor(private readonly files: ArtifactFiles) {}

  @EventPattern(ArtifactsRemoved.type)
  async remove(@Payload() { data: { storageKeys } }: Message<ArtifactsRemoved>): Promise<void> {
    for (const key of storageKeys) await this.files.delete(key);
  }
}
