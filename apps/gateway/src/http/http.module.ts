import { type DynamicModule, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import type { Logger } from 'pino';
import { Metrics } from '#libs/process';
import { ApiController } from '../api/api.controller.js';
import { ApiDocument } from '../api/openapi.js';
import { GatewayConfig } from '../config.js';
import { HealthController } from '../health/health.controller.js';
import { Readiness } from '../health/readiness.js';
import { HomeController } from '../home/home.controller.js';
import { Log } from '../log.js';
import { VersionController } from '../version/version.controller.js';
import { RouteTable } from './route-table.js';

/** What every part of the gateway may inject: its configuration, log, metrics and readiness; and the endpoints that are about itself. */
@Module({})
export class HttpModule {
  static with(config: GatewayConfig, log: Logger, metrics: Metrics, routes: RouteTable): DynamicModule {
    return {
      module: HttpModule,
      global: true,
      imports: [DiscoveryModule],
      controllers: [ApiController, HealthController, HomeController, VersionController],
      providers: [
        { provide: GatewayConfig, useValue: config },
        { provide: Log, useValue: log },
        { provide: RouteTable, useValue: routes },
        { provide: Metrics, useValue: metrics },
        ApiDocument,
        Readiness,
      ],
      exports: [GatewayConfig, Log, RouteTable, Metrics, ApiDocument, Readiness],
    };
  }
}
