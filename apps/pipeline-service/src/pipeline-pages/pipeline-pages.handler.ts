import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  ListShownPipelines,
  type LongPage,
  notFound,
  type ShownPipeline,
  ShowWholePipeline,
  type WholePipeline,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DataSource } from 'typeorm';
import { listShownPipelines, readWholePipeline } from './shown-pipelines.repository.js';

/** What the pages show of pipelines, each page in one statement. Whether the one who looks may, the gateway has seen to. */
@Controller()
export class PipelinePagesHandler {
  constructor(private readonly database: DataSource) {}

  @MessagePattern(ListShownPipelines.pattern)
  list(@Payload() request: ListShownPipelines): Promise<LongPage<ShownPipeline>> {
    return listShownPipelines(this.database, request);
  }

  @MessagePattern(ShowWholePipeline.pattern)
  async show(@Payload() request: ShowWholePipeline): Promise<WholePipeline> {
    const pipeline = await readWholePipeline(this.database, request, new Date());
    if (!pipeline) throw notFound();
    return pipeline;
  }
}
