import { type Answer, send } from './api.js';
import { undecodable } from './decoded-job.js';
import type { Flagfall } from './flagfall.js';

/** A job as a runner got it: its id, its token and much more. */
export type TakenJob = Answer['body'];

export interface HandRunnerSettings {
  id: number;
  token: string;
  cancelsGracefully?: boolean;
  /** Tells machines apart that share a token. */
  systemId?: string;
  /** Of the gateway that it asks for jobs; the first one unless given. */
  url?: string;
}

/** A runner of GitLab's protocol that does only what the test says, byte by byte. */
export class HandRunner {
  readonly id: number;
  readonly token: string;

  constructor(
    private readonly flagfall: Flagfall,
    private readonly settings: HandRunnerSettings,
  ) {
    this.id = settings.id;
    this.token = settings.token;
  }

  /** Another machine with the same token. */
  machine(systemId: string): HandRunner {
    return new HandRunner(this.flagfall, { ...this.settings, systemId });
  }

  /** The request of runner-api.md §2.1. @throws Error when it gets a job that does not decode */
  async request(signal?: AbortSignal): Promise<Answer> {
    const { cancelsGracefully = true, systemId = 's_0123456789ab', url = this.flagfall.url } = this.settings;
    const info = {
      name: 'gitlab-runner',
      version: '19.3.0',
      revision: '9cbf0074',
      platform: 'linux',
      architecture: 'amd64',
      executor: 'shell',
      shell: 'bash',
      features: { variables: true, refspecs: true, cancel_gracefully: cancelsGracefully },
      config: { gpus: '' },
    };
    const answer = await send(url, {
      method: 'POST',
      path: '/jobs/request',
      json: { info, token: this.token, system_id: systemId },
      headers: { 'RUNNER-TOKEN': this.token, Accept: 'application/json' },
      signal,
    });
    const faults = answer.status === 201 ? undecodable(answer.body) : [];
    if (faults.length > 0) throw new Error(`A runner drops this job:\n${faults.join('\n')}`);
    return answer;
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
    return this.flagfall.call({
      method: 'PUT',
      path: `/jobs/${job.id}`,
      json: { info: { name: 'gitlab-runner' }, token: job.token, ...update },
      headers: { 'JOB-TOKEN': job.token },
    });
  }

  patch(job: TakenJob, start: number, text: string | Buffer): Promise<Answer> {
    const bytes = Buffer.from(text);
    return this.flagfall.call({
      method: 'PATCH',
      path: `/jobs/${job.id}/trace?debug_trace=false`,
      raw: bytes,
      headers: {
        'JOB-TOKEN': job.token,
        'Content-Type': 'text/plain',
        'Content-Range': `${start}-${start + bytes.length - 1}`,
      },
    });
  }

  /** Sends a whole log, which must be taken. */
  async log(job: TakenJob, text: string): Promise<void> {
    const { status, body } = await this.patch(job, 0, text);
    if (status !== 202) throw new Error(`The log of job ${job.id} was answered ${status} ${JSON.stringify(body)}`);
  }

  /** Ends a job, which must be this runner's. */
  async end(job: TakenJob, state: 'success' | 'failed'): Promise<void> {
    const failure = state === 'failed' && { failure_reason: 'script_failure', exit_code: 1 };
    const { status, body } = await this.put(job, { state, ...failure });
    if (status !== 200) throw new Error(`The end of job ${job.id} was answered ${status} ${JSON.stringify(body)}`);
  }
}
