import { Module } from '@nestjs/common';
import { PipelinesModule } from '../pipelines/pipelines.module.js';
import { ProjectsModule } from '../projects/projects.module.js';
import { BridgesHandler } from './bridges.handler.js';

/** Jobs that stand for other pipelines: children, pipelines of other projects, and such whose status is taken over. */
@Module({ imports: [ProjectsModule, PipelinesModule], controllers: [BridgesHandler] })
export class BridgesModule {}
