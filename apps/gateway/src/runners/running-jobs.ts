import { Inject, Injectable } from '@nestjs/common';
import { type JobReportAnswer, Refusal, ReportJob, type Status } from '#libs/contracts';
import { type JobCredential, JobTokens } from '../access/job-tokens.js';
import { hashSecret } from '../access/secrets.js';
import { GatewayConfig } from '../config.js';
import { forgetOldest } from '../forget-oldest.js';
import { Log } from '../log.js';
import { Services } from '../services.js';
import { JobLogs } from '../storage/job-logs.js';
import { findCoverage, searchedBytes } from './coverage.js';
import { JobContacts } from './job-contacts.js';

/** How a job ended, in its runner's words. */
export interface JobEnd {
  state: 'success' | 'failed';
  failureReason?: string | null;
  exitCode?: number | null;
}

/** What became of a piece of log. */
export interface AppendedLog {
  jobStatus: string;
  taken: boolean;
  /** Bytes stored, which is where the next piece begins. */
  size: number;
}

/** Jobs handed out whose runners have not said a word yet; older ones are looked up. */
const mostExpected = 1_000;

const logFull = Buffer.from('\n\x1b[31;1mThe job log size limit was reached.\x1b[0;m\n');

/** Jobs as their runners report on them (runner-api.md §3 and §4): whose token it is, what is stored, whom to tell. */
@Injectable()
export class RunningJobs {
  constructor(
    private readonly tokens: JobTokens,
    private readonly services: Services,
    private readonly logs: JobLogs,
    private readonly contacts: JobContacts,
    private readonly config: GatewayConfig,
    @Inject(Log) private readonly log: Log,
  ) {}

  /** By the hashes of their tokens. */
  readonly #expected = new Set<string>();

  /**
   * A job was handed out here, so its runner's first word will come soon, and most likely here. What it is worth, the pipeline service decides then:
   * looking its token up before would only take time, for which somebody waits.
   */
  expect(tokenHash: string): void {
    this.#expected.add(tokenHash);
    forgetOldest(this.#expected, mostExpected);
  }

  /**
   * The job is there, and its runner still wants it. The first word makes it run.
   * @param state `pending`: the runner is still getting ready
   * @returns its status
   * @throws Refusal 403, with the job's status where the token is the job's
   */
  async keep(jobId: number, token: string, state: 'pending' | 'running'): Promise<string> {
    if (this.#expected.delete(hashSecret(token).toString('hex'))) return this.#report(jobId, token, { state });
    const job = await this.#live(jobId, token);
    if (job.status === 'pending') return this.#report(jobId, token, { state });
    this.contacts.note(jobId, null);
    return job.status;
  }

  /** @throws Refusal 403 as for `keep`; also when the same end is reported again */
  async end(jobId: number, token: string, end: JobEnd): Promise<string> {
    await this.#live(jobId, token);
    const traceSize = await this.logs.size(jobId);
    const jobStatus = await this.#report(jobId, token, { ...end, traceSize });
    this.#pack(jobId);
    return jobStatus;
  }

  /**
   * Adds a piece to the log where it fits the end. A log that grows beyond the limit ends its job.
   * @param start offset of the piece in bytes
   * @param debugTrace it may show every variable, which is noted before any of it can be read
   * @throws Refusal 403 as for `keep`
   */
  async append(jobId: number, token: string, start: number, piece: Buffer, debugTrace: boolean): Promise<AppendedLog> {
    const job = await this.#live(jobId, token);
    const jobStatus =
      job.status === 'pending' || debugTrace
        ? await this.#report(jobId, token, { state: 'running', debugTrace })
        : job.status;
    if (start + piece.length > this.config.jobLogLimit) {
      const { size } = await this.logs.append(jobId, await this.logs.size(jobId), logFull);
      const end = { state: 'failed', failureReason: 'trace_size_exceeded', traceSize: size } as const;
      const ended = await this.#report(jobId, token, end);
      this.#pack(jobId);
      throw refusal(ended);
    }
    // Heard of, whatever becomes of the piece: a runner is not to be taken for gone because there is no room for its log.
    this.contacts.note(jobId, null);
    const { taken, size } = await this.logs.append(jobId, start, piece);
    this.contacts.note(jobId, size);
    return { jobStatus, taken, size };
  }

  /** Nobody waits for it; what fails here is done again within the hour. */
  #pack(jobId: number): void {
    this.logs.pack(jobId).catch((error: unknown) => this.log.warn({ err: error, job: jobId }, 'a log was not packed'));
  }

  async #live(jobId: number, token: string): Promise<JobCredential> {
    const job = token === '' ? undefined : await this.tokens.find(token);
    if (!job || Number(job.job_id) !== jobId || job.erased) throw refusal(null);
    if (!['pending', 'running', 'canceling'].includes(job.status)) throw refusal(job.status);
    return job;
  }

  async #report(
    jobId: number,
    token: string,
    what: Pick<ReportJob, 'state'> & Partial<Omit<ReportJob, 'jobId' | 'tokenHash' | 'state'>>,
  ): Promise<Status> {
    const report = { jobId, tokenHash: hashSecret(token).toString('hex'), ...what };
    let answer: JobReportAnswer = await this.services.ask(ReportJob, report);
    if (answer.coveragePattern !== undefined) {
      const coverage = await findCoverage(await this.logs.end(jobId, searchedBytes), answer.coveragePattern);
      answer = await this.services.ask(ReportJob, { ...report, coverage });
    }
    if (!answer.accepted || answer.jobStatus === null) throw refusal(answer.jobStatus);
    return answer.jobStatus;
  }
}

/** Runners stop at it, whatever it says; the status tells them why (runner-api.md §3.2). */
function refusal(jobStatus: string | null): Refusal {
  return new Refusal(403, { message: '403 Forbidden' }, jobStatus === null ? {} : { 'Job-Status': jobStatus });
}
