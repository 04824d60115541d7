import { Module } from '@nestjs/common';
import { GatewayConfig } from '../config.js';
import { TriggerSecrets } from './trigger-secrets.js';
import { TriggersController } from './triggers.controller.js';

/** Managing trigger tokens. */
@Module({
  controllers: [TriggersController],
  providers: [
    {
      provide: TriggerSecrets,
      useFactory: (config: GatewayConfig) => new TriggerSecrets(config),
      inject: [GatewayConfig],
    },
  ],
})
export class TriggersModule {}
