import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  type Actor,
  ArtifactsRemoved,
  badRequest,
  CancelJob,
  EraseJob,
  forbidden,
  type JobFacts,
  ListPipelineJobs,
  ListProjectJobs,
  notFound,
  type Page,
  PlayJob,
  RetryJob,
  ShowJob,
  type Status,
  type UncountedPage,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DatabaseClock, Outbox, type Say } from '#libs/persistence';
import { DataSource, type EntityManager } from 'typeorm';
import { ProjectReader } from '../projects/project-reader.js';
import { cancelable, retryable } from './job.status.js';
import { repeatJobs, reviveDownstream } from './job-attempts.js';
import { countJobs, listJobs, readJobs } from './jobs.repository.js';
import { checkMayRun, mayErase } from './pipeline-rights.js';
import type { Sql } from './pipelines.repository.js';
import { lockPipelines, moveJobs, processPipeline } from './statuses.repository.js';

interface Found {
  id: number;
  pipelineId: number;
  name: string;
  status: Status;
  when: string;
  retried: boolean;
  userId: number | null;
  graceful: boolean;
  erasable: boolean;
  bridge: boolean;
  ref: string;
  tag: boolean;
}

/** Questions and orders about jobs (trigger-api.md §4.5). Whether the actor may ask at all, the gateway has seen to. */
@Controller()
export class JobsHandler {
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
    private readonly projects: ProjectReader,
  ) {}

  @MessagePattern(ListPipelineJobs.pattern)
  async listOfPipeline(@Payload() request: ListPipelineJobs): Promise<Page<JobFacts>> {
    const found = (await this.database.query('select from pipelines.pipelines where id = $1 and project_id = $2', [
      request.pipelineId,
      request.projectId,
    ])) as unknown[];
    if (found.length === 0) throw notFound();
    const part = { offset: (request.page - 1) * request.perPage, limit: request.perPage };
    return {
      items: await listJobs(this.database, request, part, this.clock.now()),
      total: await countJobs(this.database, request),
    };
  }

  @MessagePattern(ListProjectJobs.pattern)
  async listOfProject(@Payload() request: ListProjectJobs): Promise<UncountedPage<JobFacts>> {
    const { page, perPage, before } = request;
    // One more than wanted tells whether something follows.
    const part = { offset: before ? 0 : (page - 1) * perPage, limit: perPage + 1 };
    const jobs = await listJobs(this.database, { ...request, includeRetried: true }, part, this.clock.now());
    return { items: jobs.slice(0, perPage), more: jobs.length > perPage };
  }

  @MessagePattern(ShowJob.pattern)
  async show(@Payload() { projectId, jobId }: ShowJob): Promise<JobFacts> {
    // GitLab shows jobs that stand for other pipelines in their own list alone.
    if ((await find(this.database, projectId, jobId)).bridge) throw notFound();
    return facts(this.database, jobId, this.clock.now());
  }

  @MessagePattern(CancelJob.pattern)
  cancel(@Payload() order: CancelJob): Promise<JobFacts> {
    return this.#order(order, async (manager, say, job, now) => {
      if (!cancelable.includes(job.status)) return job.id;
      await moveJobs(manager, say, [job.id], job.graceful ? 'cancel-gracefully' : 'cancel', now);
      return job.id;
    });
  }

  @MessagePattern(RetryJob.pattern)
  retry(@Payload() order: RetryJob): Promise<JobFacts> {
    return this.#order(order, async (manager, say, job, now) => {
      if (!isRetryable(job)) throw forbidden('Job is not retryable');
      return runAgain(manager, say, job, order.actor, now);
    });
  }

  @MessagePattern(PlayJob.pattern)
  play(@Payload() order: PlayJob): Promise<JobFacts> {
    return this.#order(order, async (manager, say, job, now) => {
      const action = job.when === 'manual' || job.when === 'delayed';
      const waits = job.status === 'manual' || job.status === 'scheduled';
      if (!action || !(waits || isRetryable(job))) throw badRequest('Unplayable Job');
      const id = waits ? job.id : await runAgain(manager, say, job, order.actor, now);
      await manager.query('update pipelines.jobs set user_id = $2, played_variables = $3 where id = $1', [
        id,
        order.actor.id,
        JSON.stringify(order.variables),
      ]);
      if (waits) {
        await moveJobs(manager, say, [id], 'play', now);
        await reviveDownstream(manager, say, job.pipelineId, new Set([job.name]), now);
      }
      return id;
    });
  }

  @MessagePattern(EraseJob.pattern)
  erase(@Payload() order: EraseJob): Promise<JobFacts> {
    return this.outbox.transaction(async (manager, say) => {
      const job = await find(manager, order.projectId, order.jobId);
      if (!mayErase(order.actor, job.userId)) throw forbidden();
      if (!job.erasable) throw forbidden('Job is not erasable!');
      await manager.query(
        'update pipelines.jobs set erased_at = $2, updated_at = $2, trace_size = null where id = $1 and erased_at is null',
        [job.id, this.clock.now()],
      );
      const [removed] = (await manager.query(
        'delete from pipelines.artifacts where job_id = $1 returning storage_key as key',
        [job.id],
      )) as [{ key: string | null }[], number];
      const storageKeys = removed.flatMap(({ key }) => key ?? []);
      if (storageKeys.length > 0) say(ArtifactsRemoved, { storageKeys });
      return facts(manager, job.id, this.clock.now());
    });
  }

  /** Orders change one job and let its pipeline go on: find, check, lock, look again, change, process. */
  async #order(
    { projectId, jobId, actor }: { projectId: number; jobId: number; actor: Actor },
    change: (manager: EntityManager, say: Say, job: Found, now: Date) => Promise<number>,
  ): Promise<JobFacts> {
    // Read before the transaction: whoever has the embedded database's one session must not wait for somebody who wants it.
    const protection = (await this.projects.load([projectId])).get(projectId)?.protection ?? { branches: [], tags: [] };
    return this.outbox.transaction(async (manager, say) => {
      const { pipelineId } = await find(manager, projectId, jobId);
      await lockPipelines(manager, [pipelineId]);
      const job = await find(manager, projectId, jobId);
      checkMayRun({ ...job, protection }, actor);
      const now = this.clock.now();
      const id = await change(manager, say, job, now);
      await processPipeline(manager, say, pipelineId, now);
      return facts(manager, id, now);
    });
  }
}

async function runAgain(manager: EntityManager, say: Say, job: Found, actor: Actor, now: Date): Promise<number> {
  const id = (await repeatJobs(manager, [job.id], actor.id, now)).get(job.id);
  if (!id) throw forbidden('Job is not retryable');
  await moveJobs(manager, say, [id], 'enqueue', now);
  await reviveDownstream(manager, say, job.pipelineId, new Set([job.name]), now);
  return id;
}

function isRetryable(job: Found): boolean {
  return retryable.includes(job.status) && !job.retried;
}

async function find(sql: Sql, projectId: number, jobId: number): Promise<Found> {
  const [job] = (await sql.query(
    `select job.id, job.pipeline_id as "pipelineId", job.name, job.status, job."when", job.retried, job.user_id as "userId",
       job.status = 'running' and job.runner_cancels_gracefully as graceful,
       job.status in ('success', 'failed', 'canceled') and job.erased_at is null
         and (job.trace_size is not null or exists (select from pipelines.artifacts where job_id = job.id and storage_key is not null)) as erasable, job.bridge,
       pipeline.ref, pipeline.tag
     from pipelines.jobs as job join pipelines.pipelines as pipeline on pipeline.id = job.pipeline_id
     where job.id = $1 and job.project_id = $2`,
    [jobId, projectId],
  )) as Found[];
  if (!job) throw notFound();
  return job;
}

async function facts(sql: Sql, jobId: number, now: Date): Promise<JobFacts> {
  const [job] = await readJobs(sql, [jobId], now);
  if (!job) throw notFound();
  return job;
}
