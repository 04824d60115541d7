import { type Answer, type TestProject, Workshop } from './workshop.js';

/** A job as a runner got it. */
// oxlint-disable-next-line typescript/no-explicit-any -- as the API gives it
export type TakenJob = any;

/** A runner of GitLab's protocol that does only what the test says, byte by byte. */
export class HandRunner {
  constructor(
    private readonly workshop: Workshop,
    readonly token: string,
    private readonly cancelsGracefully = true,
    private readonly systemId = 's_0123456789ab',
  ) {}

  static async create(workshop: Workshop, settings: object = {}, cancelsGracefully = true): Promise<HandRunner> {
    return new HandRunner(workshop, await workshop.newRunner(settings), cancelsGracefully);
  }

  /** The request of runner-api.md §2.1. */
  request(signal?: AbortSignal): Promise<Answer> {
    const info = {
      name: 'gitlab-runner',
      version: '19.3.0',
      revision: '9cbf0074',
      platform: 'linux',
      architecture: 'amd64',
      executor: 'shell',
      shell: 'bash',
      features: { variables: true, refspecs: true, cancel_gracefully: this.cancelsGracefully },
      config: { gpus: '' },
    };
    return this.workshop.call('POST', '/jobs/request', {
      token: null,
      json: { info, token: this.token, system_id: this.systemId },
      headers: { 'RUNNER-TOKEN': this.token, Accept: 'application/json' },
      signal,
    });
  }

  /** A job that must be there. */
  async take(): Promise<TakenJob> {
    const { status, body } = await this.request();
    if (status !== 201) throw new Error(`There was no job: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** A job that must be there, acknowledged. */
  async start(): Promise<TakenJob> {
    const job = await this.take();
    await this.put(job, { state: 'running', output: {} });
    return job;
  }

  put(job: TakenJob, update: object): Promise<Answer> {
    return this.workshop.call('PUT', `/jobs/${job.id}`, {
      token: null,
      json: { info: { name: 'gitlab-runner' }, token: job.token, ...update },
      headers: { 'JOB-TOKEN': job.token },
    });
  }

  patch(job: TakenJob, start: number, text: string | Buffer): Promise<Answer> {
    const bytes = Buffer.from(text);
    return this.workshop.call('PATCH', `/jobs/${job.id}/trace?debug_trace=false`, {
      token: null,
      bytes,
      headers: {
        'JOB-TOKEN': job.token,
        'Content-Type': 'text/plain',
        'Content-Range': `${start}-${start + bytes.length - 1}`,
      },
    });
  }
}

/** A project with one job, or the given configuration. */
export function projectWith(workshop: Workshop, name: string, configuration = 'job: { script: [make] }', more = {}) {
  return workshop.newProject(name, { '.gitlab-ci.yml': configuration }, more);
}

/** What the API says about a job. */
export function jobOf(workshop: Workshop, project: TestProject, { id }: { id: number }) {
  return workshop.must('GET', `/projects/${project.id}/jobs/${id}`);
}
