import type { Answer } from './api.js';
import { eventually } from './testing/eventually.js';
import type { Verbs } from './verbs.js';

const runLimitMs = 45_000;
const over = ['success', 'failed', 'canceled', 'skipped', 'manual'];

type Body = Answer['body'];

/** Watches pipelines of one project run. */
export class Runs {
  constructor(
    private readonly verbs: Verbs,
    private readonly projectId: number,
  ) {}

  /** The pipelines of the project, the latest first. */
  all(): Promise<Body[]> {
    return this.verbs.root({ path: `/projects/${this.projectId}/pipelines?per_page=100` });
  }

  pipeline(id: number): Promise<Body> {
    return this.verbs.root({ path: `/projects/${this.projectId}/pipelines/${id}` });
  }

  /** Waits until nothing goes on in a pipeline any more, or until there is only manual work left. */
  finished(id: number): Promise<Body> {
    return eventually(
      `pipeline ${id} to finish`,
      async () => {
        const pipeline = await this.pipeline(id);
        return over.includes(pipeline.status) && pipeline;
      },
      runLimitMs,
    );
  }

  /** The latest of each name. */
  async jobs(id: number): Promise<Record<string, Body>> {
    const jobs: Body[] = await this.verbs.root({
      path: `/projects/${this.projectId}/pipelines/${id}/jobs?per_page=100`,
    });
    return Object.fromEntries(jobs.map((job) => [job.name, job]));
  }

  /** The statuses of a pipeline's jobs by their names. */
  async statuses(id: number): Promise<Record<string, string>> {
    const jobs = Object.values(await this.jobs(id));
    return Object.fromEntries(jobs.map(({ name, status }) => [name, status]));
  }

  jobIs(id: number, name: string, status: string): Promise<Body> {
    return eventually(
      `job ${name} of pipeline ${id} to be ${status}`,
      async () => {
        const job = (await this.jobs(id))[name];
        return job?.status === status && job;
      },
      runLimitMs,
    );
  }

  /** The log of a pipeline's job, as the API gives it. */
  async log(id: number, name: string): Promise<string> {
    const job = (await this.jobs(id))[name];
    return (await this.verbs.root({ path: `/projects/${this.projectId}/jobs/${job?.id}/trace` })) ?? '';
  }

  /** Waits for the log of a job that still runs. */
  logSays(id: number, name: string, text: string): Promise<string> {
    return eventually(
      `the log of ${name} to say ${text}`,
      async () => {
        const log = await this.log(id, name);
        return log.includes(text) && log;
      },
      runLimitMs,
    );
  }

  /** Does something with a job, such as `play` or `cancel`. */
  async order(id: number, name: string, order: string, json?: object): Promise<Body> {
    const job = (await this.jobs(id))[name];
    return this.verbs.root({ method: 'POST', path: `/projects/${this.projectId}/jobs/${job?.id}/${order}`, json });
  }
}
