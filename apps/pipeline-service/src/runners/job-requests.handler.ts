import { Controller, Inject } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import type { Logger } from 'pino';
import {
  apiVersion,
  type JobOutline,
  type JobRequestOutcome,
  ListWaitingJobs,
  RequestJob,
  ReturnJob,
} from '#libs/contracts';
import { isEnvironmentName } from '#libs/ci-config';
import { MessagePattern } from '#libs/messaging';
import { DatabaseClock, Outbox } from '#libs/persistence';
import { DataSource } from 'typeorm';
import {
  dependenciesOf,
  type EarlierJob,
  mayDependOnJobs,
  MissingDependency,
  readEarlierJobs,
} from '../artifacts/job-dependencies.js';
import { pipelineDependencies } from '../artifacts/pipeline-dependencies.js';
import { PipelineServiceConfig } from '../config.js';
import { ImpossibleEnvironment, safeAddress } from '../environments/environment-faults.js';
import { Log } from '../log.js';
import { noteEnvironment } from '../environments/environments.repository.js';
import { finishJob } from '../pipelines/finish-job.js';
import type { Server } from '../pipelines/predefined-variables.js';
import { type ProjectForCreation, ProjectReader } from '../projects/project-reader.js';
import { Repositories } from '../repositories/repositories.js';
import { cacheKeys, filesAt } from './cache-keys.js';
import type { HandedOutJob, WaitingRunner } from './handed-out-job.js';
import { listWaiting, noteContact, reachOf, returnJob, takeJob } from './job-handout.js';
import { jobPayload } from './job-payload.js';
import { type SentVariable, variableLayers } from './job-variables.js';
import type { PipelineJob } from './pipeline-job.repository.js';

/** Runners take jobs (runner-api.md §2). */
@Controller()
export class JobRequestsHandler {
  readonly #server: Server;

  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
    private readonly projects: ProjectReader,
    private readonly repositories: Repositories,
    { externalUrl }: PipelineServiceConfig,
    @Inject(Log) private readonly log: Logger,
  ) {
    this.#server = { externalUrl, ...apiVersion };
  }

  @MessagePattern(RequestJob.pattern)
  async request(@Payload() request: RequestJob): Promise<JobRequestOutcome> {
    const now = this.clock.now();
    // A job that cannot be handed out fails, and the next one is tried (runner-api.md §2.6).
    for (;;) {
      const handOut = await takeJob(this.database, request, now);
      if (!handOut) return { outcome: 'unknown runner' };
      const { runner, job } = handOut;
      const payload = job && (await this.#handOut(job, runner, request, now));
      if (job && !payload) continue;
      const noted = noteContact(this.database, runner.id, request, now);
      if (!job || !payload) {
        await noted;
        return withoutJob(runner);
      }
      // A job waits for nobody's statistics.
      noted.catch((error: unknown) => this.log.warn({ err: error, runner: runner.id }, 'a contact was not noted'));
      return { outcome: 'assigned', jobId: job.id, payload };
    }
  }

  /** @returns what the runner gets; undefined where the job cannot be handed out, and has failed */
  async #handOut(
    job: PipelineJob,
    runner: WaitingRunner,
    request: RequestJob,
    now: Date,
  ): Promise<ReturnType<typeof jobPayload> | undefined> {
    // What cannot be read now is no fault of the job's: unacknowledged, it goes back to the queue.
    const { earlier, others, project } = await this.#read(job);
    let payload: ReturnType<typeof jobPayload>;
    try {
      if (others instanceof MissingDependency) throw others;
      const { environment } = job.definition;
      if (environment && !isEnvironmentName(environment.name))
        throw new ImpossibleEnvironment(`No environment may be called '${environment.name}'`);
      const dependencies = [...dependenciesOf(job.definition, earlier), ...others];
      const cacheKeys = await this.#cacheKeys(job, project);
      const to = { server: this.#server, runner, token: request.jobToken, now };
      payload = jobPayload({ ...job, dependencies, cacheKeys }, project, to);
    } catch (error) {
      this.log.warn({ err: error, job: job.id }, 'a job could not be handed out');
      const failureReason = failureReasonOf(error);
      await this.outbox.transaction(async (manager, say) => {
        await finishJob(manager, say, job.id, { success: false, failureReason }, now);
        // Its token is the next one's now.
        await manager.query('update pipelines.jobs set token_hash = null where id = $1', [job.id]);
      });
      return undefined;
    }
    await this.#noteEnvironment(job, payload, now);
    return payload;
  }

  /** With its address as the job's variables make it. */
  async #noteEnvironment(job: PipelineJob, payload: ReturnType<typeof jobPayload>, now: Date): Promise<void> {
    const { environment } = job.definition;
    if (!environment) return;
    const variables = payload['variables'] as SentVariable[];
    const valueOf = (key: string) => variables.find((variable) => variable.key === key)?.value ?? null;
    const url = safeAddress(valueOf('CI_ENVIRONMENT_URL') ?? '');
    const known = { tier: valueOf('CI_ENVIRONMENT_TIER') ?? 'other', url };
    await noteEnvironment(this.database, job, environment, known, now);
  }

  /** A repository that does not answer costs the job its cache, no more. */
  async #cacheKeys(
    { id, definition, pipeline }: Pick<HandedOutJob, 'id' | 'definition' | 'pipeline'>,
    { address }: ProjectForCreation,
  ): Promise<(string | null)[]> {
    const { cache } = definition.options;
    if (!address || !cache.some(({ key }) => typeof key === 'object')) return [];
    try {
      return await cacheKeys(cache, filesAt(this.repositories, address, pipeline.sha));
    } catch (error) {
      this.log.warn(
        { err: error, job: id },
        'the key of a cache could not be computed; the job goes without its caches',
      );
      return [];
    }
  }

  async #ofOtherPipelines(
    job: Omit<HandedOutJob, 'dependencies'>,
    project: ProjectForCreation,
  ): Promise<EarlierJob[] | MissingDependency> {
    const { pipelineNeeds = [] } = job.definition;
    if (pipelineNeeds.length === 0) return [];
    const variables = variableLayers({ ...job, dependencies: [] }, project, this.#server, []);
    return pipelineDependencies(this.database, pipelineNeeds, job.pipeline.id, variables).catch((error: unknown) => {
      if (error instanceof MissingDependency) return error;
      throw error;
    });
  }

  async #read(
    job: PipelineJob,
  ): Promise<{ earlier: EarlierJob[]; others: EarlierJob[] | MissingDependency; project: ProjectForCreation }> {
    const [projects, earlier] = await Promise.all([
      this.projects.load([job.projectId]),
      mayDependOnJobs(job.definition) ? readEarlierJobs(this.database, job.pipeline.id) : [],
    ]);
    const project = projects.get(job.projectId);
    if (!project) throw new Error(`The project of the job ${job.id} is gone`);
    return { earlier, others: await this.#ofOtherPipelines(job, project), project };
  }

  @MessagePattern(ReturnJob.pattern)
  async return(@Payload() { jobId, tokenHash }: ReturnJob): Promise<null> {
    await this.outbox.transaction((manager, say) => returnJob(manager, say, jobId, tokenHash));
    return null;
  }

  @MessagePattern(ListWaitingJobs.pattern)
  listWaiting(): Promise<(JobOutline & { count: number })[]> {
    return listWaiting(this.database);
  }
}

function withoutJob(runner: WaitingRunner): JobRequestOutcome {
  if (runner.paused) return { outcome: 'paused' };
  if (runner.runnerType === 'project_type' && runner.projectIds.length === 0) return { outcome: 'orphaned' };
  return { outcome: 'none', reach: reachOf(runner) };
}

/** Why a job fails that could not be handed out, in GitLab's words. */
function failureReasonOf(error: unknown): string {
  if (error instanceof MissingDependency) return 'missing_dependency_failure';
  return error instanceof ImpossibleEnvironment ? 'environment_creation_failure' : 'scheduler_failure';
}
