import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  EditResourceGroup,
  type JobFacts,
  ListResourceGroups,
  ListUpcomingJobs,
  notFound,
  type Page,
  ResourceGroupDue,
  type ResourceGroupFacts,
  ShowResourceGroup,
} from '#libs/contracts';
import { EventPattern, type Message, MessagePattern } from '#libs/messaging';
import { DatabaseClock, Outbox } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { lockPipelines, moveJob, processPipeline } from '../pipelines/statuses.repository.js';
import {
  findGroup,
  listGroups,
  listUpcoming,
  lockGroup,
  nextInGroup,
  setProcessMode,
} from './resource-groups.repository.js';

/** As often the next job was another one when it was to be told; each time there is a message that looks again. */
const tries = 10;

/** `resource_group`: of the jobs of one key in a project one at a time is in progress (ci-config.md §6.5). */
@Controller()
export class ResourceGroupsHandler {
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
  ) {}

  /**
   * Gives the next job its turn. Who that is, is looked up once to know which pipeline to lock, and again under the locks of that pipeline and
   * of the group, in this order everywhere.
   */
  @EventPattern(ResourceGroupDue.type, { concurrency: 16 })
  async assign(@Payload() { data: { projectId, key } }: Message<ResourceGroupDue>): Promise<void> {
    for (let tried = 0; tried < tries; tried++) {
      const next = await nextInGroup(this.database, projectId, key);
      if (!next) return;
      const moved = await this.outbox.transaction(async (manager, say) => {
        await lockPipelines(manager, [next.pipelineId]);
        await lockGroup(manager, projectId, key);
        if ((await nextInGroup(manager, projectId, key))?.id !== next.id) return false;
        const now = this.clock.now();
        await moveJob(manager, say, next.id, 'acquire', now);
        await processPipeline(manager, say, next.pipelineId, now);
        return true;
      });
      if (moved) return;
    }
  }

  @MessagePattern(ListResourceGroups.pattern)
  list(@Payload() { projectId, page, perPage }: ListResourceGroups): Promise<Page<ResourceGroupFacts>> {
    return listGroups(this.database, projectId, { page, perPage });
  }

  @MessagePattern(ShowResourceGroup.pattern)
  async show(@Payload() { projectId, key }: ShowResourceGroup): Promise<ResourceGroupFacts> {
    const group = await findGroup(this.database, projectId, key);
    if (!group) throw notFound();
    return group;
  }

  @MessagePattern(EditResourceGroup.pattern)
  edit(@Payload() { projectId, key, processMode }: EditResourceGroup): Promise<ResourceGroupFacts> {
    return this.outbox.transaction(async (manager, say) => {
      const group = await setProcessMode(manager, projectId, key, processMode);
      if (!group) throw notFound();
      say(ResourceGroupDue, { projectId, key });
      return group;
    });
  }

  @MessagePattern(ListUpcomingJobs.pattern)
  async upcoming(@Payload() { projectId, key, page, perPage }: ListUpcomingJobs): Promise<Page<JobFacts>> {
    return listUpcoming(
      this.database,
      projectId,
      await this.show({ projectId, key } as ShowResourceGroup),
      { page, perPage },
      this.clock.now(),
    );
  }
}
