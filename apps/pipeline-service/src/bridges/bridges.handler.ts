import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { Logger } from 'pino';
import { apiVersion, BridgeDue, type BridgeFacts, ListBridges, notFound, type Page } from '#libs/contracts';
import {
  type EventContext,
  EventPattern,
  isUnanswered,
  type Message,
  MessagePattern,
  RetryLater,
} from '#libs/messaging';
import { DatabaseClock, Outbox, type Say } from '#libs/persistence';
import { DataSource, type EntityManager } from 'typeorm';
import { Accounts } from '../accounts.js';
import { PipelineServiceConfig } from '../config.js';
import { Log } from '../log.js';
import { cancelPipelines } from '../pipelines/cancel-pipelines.js';
import { protectedRefText } from '../pipelines/creation-checks.js';
import { finishJob } from '../pipelines/finish-job.js';
import { repeatJobs, reviveDownstream } from '../pipelines/job-attempts.js';
import { isFinished } from '../pipelines/job.status.js';
import { isPipelineFinished } from '../pipelines/pipeline.status.js';
import { PipelineCreation } from '../pipelines/pipeline-creation.js';
import { lockPipelines, moveJob, moveJobs, processPipeline } from '../pipelines/statuses.repository.js';
import { ProjectReader } from '../projects/project-reader.js';
import { RepositoryUnreadable } from '../repositories/repository-errors.js';
import { readPipelineJob } from '../runners/pipeline-job.repository.js';
import { followed } from './bridge.status.js';
import { type BridgeFailure, BridgeOrders, requestIdOf } from './bridge-orders.js';
import { type LinkedJob, listBridges, readLinkedJob } from './bridges.repository.js';

/** How long a repository that cannot be reached is tried for, as for a trigger (architecture.md §2.5). */
const patienceMs = 15 * 60_000;
const retryMs = 5_000;

/** What came of a job's wish: the pipeline that it stands for, if there is one, and why it fails, if it does. */
interface Beginning {
  pipelineId: number | null;
  failure: BridgeFailure | null;
  /** In words, for the log. */
  reason?: string | undefined;
}

/**
 * Jobs that stand for other pipelines: they start one, or look for one, and go with it as their strategy says. Each step is decided by what is
 * stored, under the lock of the job's pipeline, so that a message that comes twice, late or after a crash does no harm.
 */
@Controller()
export class BridgesHandler {
  readonly #orders: BridgeOrders;

  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
    private readonly creation: PipelineCreation,
    projects: ProjectReader,
    accounts: Accounts,
    { externalUrl }: PipelineServiceConfig,
    @Inject(Log) private readonly log: Logger,
  ) {
    this.#orders = new BridgeOrders(database, projects, accounts, { externalUrl, ...apiVersion });
  }

  @MessagePattern(ListBridges.pattern)
  async list(@Payload() request: ListBridges): Promise<Page<BridgeFacts>> {
    const found = (await this.database.query('select from pipelines.pipelines where id = $1 and project_id = $2', [
      request.pipelineId,
      request.projectId,
    ])) as unknown[];
    if (found.length === 0) throw notFound();
    return listBridges(this.database, request, this.clock.now());
  }

  @EventPattern(BridgeDue.type, { concurrency: 32 })
  async update(@Payload() { data }: Message<BridgeDue>, @Ctx() context: EventContext): Promise<void> {
    const job = await readLinkedJob(this.database, data.jobId);
    if (!job || job.retried) return;
    if (job.linkedPipelineId !== null) await this.#follow(job);
    else if (job.status === 'pending') await this.#link(job, await this.#begin(job, context));
    // Canceled between the creation of its pipeline and the note of it.
    else if (job.status === 'canceled' && job.queuedAt) {
      const created = await this.creation.outcomeOf(requestIdOf(job.id, job.queuedAt));
      if (created?.pipeline) await this.#link(job, { pipelineId: created.pipeline.id, failure: null });
    }
  }

  async #begin({ id }: LinkedJob, context: EventContext): Promise<Beginning> {
    const job = await readPipelineJob(this.database, id, this.clock.now());
    if (!job?.queuedAt) return { pipelineId: null, failure: 'invalid_bridge_trigger' };
    try {
      if (job.definition.mirrors !== undefined) return beginning(await this.#orders.mirrored(job));
      const order = await this.#orders.downstream(job, job.queuedAt);
      if (typeof order === 'string') return beginning(order);
      const { pipeline, refusal } = await this.creation.create(order, context.attempt > 1);
      if (pipeline) return beginning(pipeline.id);
      const reason = JSON.stringify(refusal?.body['message']);
      const failure = reason?.includes(protectedRefText)
        ? 'insufficient_bridge_permissions'
        : 'downstream_pipeline_creation_failed';
      return { pipelineId: refusal?.pipelineId ?? null, failure, reason };
    } catch (error) {
      if (isPassing(error) && job.waited * 1000 < patienceMs) throw new RetryLater(retryMs, (error as Error).message);
      if (!context.lastAttempt && !(error instanceof RepositoryUnreadable)) throw error;
      // About to be parked, where nobody who waits for the job would look.
      const reason = error instanceof Error ? error.message : String(error);
      return { pipelineId: null, failure: 'downstream_pipeline_creation_failed', reason };
    }
  }

  /** Notes which pipeline a job stands for, once, and lets the job begin. */
  async #link(job: LinkedJob, { pipelineId, failure, reason }: Beginning): Promise<void> {
    if (failure) this.log.info({ job: job.id, failure, reason }, 'a job could not start its pipeline');
    const ids = pipelineId === null ? [job.pipelineId] : [job.pipelineId, pipelineId];
    await this.outbox.transaction(async (manager, say) => {
      await lockPipelines(manager, ids);
      const now = this.clock.now();
      const locked = await readLinkedJob(manager, job.id);
      if (!locked || locked.linkedPipelineId !== null) return;
      await manager.query('update pipelines.jobs set linked_pipeline_id = $2 where id = $1', [job.id, pipelineId]);
      if (locked.status === 'canceled') {
        // Whoever canceled the parent could not know of this child.
        if (pipelineId !== null) await cancelPipelines(manager, say, await childrenAmong(manager, [pipelineId]), now);
      } else if (failure) await finishJob(manager, say, job.id, { success: false, failureReason: failure }, now);
      else {
        await moveJob(manager, say, job.id, 'pick', now);
        const linked = await readLinkedJob(manager, job.id);
        if (linked?.strategy) await goWith(manager, say, linked, now);
        else await finishJob(manager, say, job.id, { success: true }, now);
      }
    });
  }

  async #follow({ id, pipelineId, strategy }: LinkedJob): Promise<void> {
    if (!strategy) return;
    await this.outbox.transaction(async (manager, say) => {
      await lockPipelines(manager, [pipelineId]);
      const job = await readLinkedJob(manager, id);
      if (job && !job.retried) await goWith(manager, say, job, this.clock.now());
    });
  }
}

/** Brings a job up to date with its pipeline; call it with the job's own pipeline locked. */
async function goWith(manager: EntityManager, say: Say, job: LinkedJob, now: Date): Promise<void> {
  const { id, pipelineId, strategy, linkedStatus } = job;
  if (isFinished(job.status)) {
    if (linkedStatus !== null && !isPipelineFinished(linkedStatus)) await beginAgain(manager, say, job, now);
    return;
  }
  // A pipeline that was deleted tells nothing any more.
  const happening = linkedStatus === null ? 'fail' : followed(strategy ?? 'mirror', linkedStatus);
  if (happening === 'succeed' || happening === 'fail')
    await finishJob(manager, say, id, { success: happening === 'succeed' }, now);
  else {
    if (happening) await moveJob(manager, say, id, happening, now);
    await processPipeline(manager, say, pipelineId, now);
  }
}

/** Jobs of a pipeline that had ended were run again: so does the one that stands for it, and what was skipped after it. */
async function beginAgain(manager: EntityManager, say: Say, job: LinkedJob, now: Date): Promise<void> {
  const attempt = (await repeatJobs(manager, [job.id], null, now)).get(job.id);
  if (attempt === undefined) return;
  await manager.query('update pipelines.jobs set linked_pipeline_id = $2 where id = $1', [
    attempt,
    job.linkedPipelineId,
  ]);
  await moveJobs(manager, say, [attempt], 'enqueue', now);
  await moveJobs(manager, say, [attempt], 'pick', now);
  await reviveDownstream(manager, say, job.pipelineId, new Set([job.name]), now);
  await processPipeline(manager, say, job.pipelineId, now);
}

async function childrenAmong(manager: EntityManager, ids: number[]): Promise<number[]> {
  const rows = (await manager.query(
    `select id from pipelines.pipelines where id = any($1::bigint[]) and source = 'parent_pipeline'`,
    [ids],
  )) as { id: number }[];
  return rows.map(({ id }) => id);
}

function beginning(result: number | BridgeFailure): Beginning {
  return typeof result === 'number' ? { pipelineId: result, failure: null } : { pipelineId: null, failure: result };
}

/** Whether it may go better a little later. */
function isPassing(error: unknown): boolean {
  if (error instanceof RepositoryUnreadable) return error.transient;
  return isUnanswered(error);
}
