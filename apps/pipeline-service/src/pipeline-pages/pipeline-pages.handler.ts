import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  type ListedJob,
  ListShownJobs,
  ListShownPipelines,
  type LongPage,
  notFound,
  type ShownPipeline,
  ShowWholePipeline,
  type UncountedPage,
  type WholePipeline,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DatabaseClock } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { listShownJobs } from './shown-jobs.repository.js';
import { listShownPipelines, readWholePipeline } from './shown-pipelines.repository.js';

/** What the pages show of pipelines and jobs, each page in one statement. Whether the one who looks may, the gateway has seen to. */
@Controller()
export class PipelinePagesHandler {
  constructor(
    private readonly database: DataSource,
    private readonly clock: DatabaseClock,
  ) {}

  @MessagePattern(ListShownPipelines.pattern)
  list(@Payload() request: ListShownPipelines): Promise<LongPage<ShownPipeline>> {
    return listShownPipelines(this.database, request);
  }

  @MessagePattern(ShowWholePipeline.pattern)
  async show(@Payload() request: ShowWholePipeline): Promise<WholePipeline> {
    const pipeline = await readWholePipeline(this.database, request, this.clock.now());
    if (!pipeline) throw notFound();
    return pipeline;
  }

  @MessagePattern(ListShownJobs.pattern)
  listJobs(@Payload() request: ListShownJobs): Promise<UncountedPage<ListedJob>> {
    return listShownJobs(this.database, request, this.clock.now());
  }
}
