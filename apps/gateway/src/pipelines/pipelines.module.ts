import { Module } from '@nestjs/common';
import { PipelineOrdersController } from './pipeline-orders.controller.js';
import { PipelinesController } from './pipelines.controller.js';

/** Pipelines: seeing them, and giving orders about them. */
@Module({ controllers: [PipelinesController, PipelineOrdersController] })
export class PipelinesModule {}
