import { until } from '../../../../libs/messaging/src/testing/until.js';
import type { TestRepository } from '../../../pipeline-service/src/repositories/testing/test-repository.js';
import type { Answer } from './api.js';
import type { Flagfall, Trigger } from './flagfall.js';

type Body = Answer['body'];

const runLimitMs = 60_000;
/** Nothing goes on by itself any more, or there is only manual work left. */
const over = ['success', 'failed', 'canceled', 'skipped', 'manual'];

/** A project, its pipelines and their jobs, as its first administrator sees them. */
export class Project {
  #trigger: Promise<Trigger> | undefined;

  constructor(
    private readonly flagfall: Flagfall,
    readonly id: number,
    /** Full path. */
    readonly path: string,
    private readonly itsRepository?: TestRepository,
  ) {}

  get repository(): TestRepository {
    if (!this.itsRepository) throw new Error(`${this.path} was made without a repository`);
    return this.itsRepository;
  }

  /** Starts a pipeline with a trigger token of the first administrator. @returns GitLab's pipeline object */
  async trigger(ref = 'main', variables: Record<string, string> = {}): Promise<Body> {
    this.#trigger ??= this.flagfall.newTrigger(this);
    return this.flagfall.trigger(await this.#trigger, ref, variables);
  }

  /** What the API says below the project. */
  get(path: string): Promise<Body> {
    return this.flagfall.root({ path: `/projects/${this.id}${path}` });
  }

  post(path: string, json?: object): Promise<Body> {
    return this.flagfall.root({ method: 'POST', path: `/projects/${this.id}${path}`, json });
  }

  /** The pipelines, the latest first. */
  pipelines(): Promise<Body[]> {
    return this.get('/pipelines?per_page=100');
  }

  pipeline(id: number): Promise<Body> {
    return this.get(`/pipelines/${id}`);
  }

  /** Waits until a pipeline has a status. @returns it then */
  pipelineIs(id: number, status: string): Promise<Body> {
    return until(
      `pipeline ${id} to be ${status}`,
      async () => {
        const pipeline = await this.pipeline(id);
        return pipeline.status === status && pipeline;
      },
      runLimitMs,
    );
  }

  /** Waits until a pipeline has come to an end. @returns it then */
  finished(id: number): Promise<Body> {
    return until(
      `pipeline ${id} to finish`,
      async () => {
        const pipeline = await this.pipeline(id);
        return over.includes(pipeline.status) && pipeline;
      },
      runLimitMs,
    );
  }

  /** The jobs of a pipeline by their names, the latest of each. */
  async jobs(pipelineId: number): Promise<Record<string, Body>> {
    const jobs: Body[] = await this.get(`/pipelines/${pipelineId}/jobs?per_page=100`);
    return Object.fromEntries(jobs.map((job) => [job.name, job]));
  }

  job({ id }: { id: number }): Promise<Body> {
    return this.get(`/jobs/${id}`);
  }

  /** The statuses of a pipeline's jobs by their names. */
  async statuses(pipelineId: number): Promise<Record<string, string>> {
    const jobs = Object.values(await this.jobs(pipelineId));
    return Object.fromEntries(jobs.map(({ name, status }) => [name, status]));
  }

  /** Waits until a job of a pipeline has a status. @returns it then */
  jobIs(pipelineId: number, name: string, status: string): Promise<Body> {
    return until(
      `job ${name} of pipeline ${pipelineId} to be ${status}`,
      async () => {
        const job = (await this.jobs(pipelineId))[name];
        return job?.status === status && job;
      },
      runLimitMs,
    );
  }

  /** The log of a pipeline's job, as the API gives it. */
  async log(pipelineId: number, name: string): Promise<string> {
    const job = (await this.jobs(pipelineId))[name];
    return (await this.get(`/jobs/${job?.id}/trace`)) ?? '';
  }

  /** Waits for the log of a job that still runs. */
  logSays(pipelineId: number, name: string, text: string): Promise<string> {
    return until(
      `the log of ${name} to say ${text}`,
      async () => {
        const log = await this.log(pipelineId, name);
        return log.includes(text) && log;
      },
      runLimitMs,
    );
  }

  /** Does something with a pipeline's job, such as `play` or `cancel`. */
  async order(pipelineId: number, name: string, order: string, json?: object): Promise<Body> {
    const job = (await this.jobs(pipelineId))[name];
    return this.post(`/jobs/${job?.id}/${order}`, json);
  }
}
