import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import type { Logger } from 'pino';
import { Inject } from '@nestjs/common';
import {
  apiVersion,
  type JobFacts,
  type JobReportAnswer,
  type JobRequestOutcome,
  ReportJob,
  RequestJob,
  ShowOwnJob,
  type Status,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { Outbox } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { PipelineServiceConfig } from '../config.js';
import { Log } from '../log.js';
import { finishJob } from '../pipelines/finish-job.js';
import { readJobs } from '../pipelines/jobs.repository.js';
import { lockPipelines, moveJob, processPipeline } from '../pipelines/statuses.repository.js';
import { type ProjectForCreation, ProjectReader } from '../projects/project-reader.js';
import { findRunner, noteContact, takeJob, type WaitingRunner } from './job-handout.js';
import { type HandedOutJob, jobPayload } from './job-payload.js';

/** Runners take jobs and report on them (runner-api.md §2 and §3). */
@Controller()
export class JobRequestsHandler {
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly projects: ProjectReader,
    private readonly config: PipelineServiceConfig,
    @Inject(Log) private readonly log: Logger,
  ) {}

  @MessagePattern(RequestJob.pattern)
  async request(@Payload() request: RequestJob): Promise<JobRequestOutcome> {
    const now = new Date();
    const runner = await findRunner(this.database, request.tokenHash);
    if (!runner) return { outcome: 'unknown runner' };
    await noteContact(this.database, runner.id, request, now);
    if (runner.paused) return { outcome: 'paused' };
    return (await this.#assign(runner, request, now)) ?? { outcome: 'none' };
  }

  /** A job that cannot be handed out fails, and the next one is tried (runner-api.md §2.6). */
  async #assign(runner: WaitingRunner, request: RequestJob, now: Date): Promise<JobRequestOutcome | undefined> {
    for (;;) {
      const jobId = await takeJob(this.outbox, runner, request, now);
      if (jobId === undefined) return undefined;
      // What cannot be read now is no fault of the job's: unacknowledged, it goes back to the queue.
      const { job, project } = await this.#read(jobId, now);
      try {
        const server = { externalUrl: this.config.externalUrl, ...apiVersion };
        const payload = jobPayload(job, project, { server, runner, token: request.jobToken, now });
        return { outcome: 'assigned', payload };
      } catch (error) {
        this.log.warn({ err: error, job: jobId }, 'a job could not be handed out');
        await this.outbox.transaction((manager, say) =>
          finishJob(manager, say, jobId, { success: false, failureReason: 'scheduler_failure' }, now),
        );
      }
    }
  }

  async #read(jobId: number, now: Date): Promise<{ job: HandedOutJob; project: ProjectForCreation }> {
    const [row] = (await this.database.query(
      `select job.id, job.name, job.stage, job.definition, job.timeout_seconds as "timeoutSeconds", job.played_variables as "playedVariables",
         job.project_id as "projectId", greatest(0, coalesce(extract(epoch from $2 - job.queued_at), 0))::float as waited,
         json_build_object('id', pipeline.id, 'iid', pipeline.iid, 'source', pipeline.source, 'ref', pipeline.ref, 'tag', pipeline.tag,
           'tagMessage', pipeline.tag_message, 'protected', pipeline.protected, 'sha', pipeline.sha, 'commit', pipeline.commit,
           'createdAt', to_char(pipeline.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'name', pipeline.name,
           'triggerShortToken', pipeline.trigger_short_token, 'variables', pipeline.variables) as pipeline,
         case when owner.id is not null then json_build_object('id', owner.id, 'username', owner.username, 'name', owner.name, 'email', owner.email) end as "user"
       from pipelines.jobs as job
         join pipelines.pipelines as pipeline on pipeline.id = job.pipeline_id
         left join pipelines.users as owner on owner.id = job.user_id
       where job.id = $1`,
      [jobId, now],
    )) as (HandedOutJob & { projectId: number })[];
    const project = row && (await this.projects.load([row.projectId])).get(row.projectId);
    if (!row || !project) throw new Error(`The job ${jobId} or its project is gone`);
    return { job: row, project };
  }

  @MessagePattern(ReportJob.pattern)
  report(@Payload() report: ReportJob): Promise<JobReportAnswer> {
    const now = new Date();
    return this.outbox.transaction(async (manager, say) => {
      const [job] = (await manager
        .query(
          `update pipelines.jobs set last_contact_at = $3, trace_size = case when erased_at is null then greatest(trace_size, $4::bigint) end
         where id = $1 and token_hash = decode($2, 'hex') and status in ('pending', 'running', 'canceling')
         returning status, pipeline_id as "pipelineId"`,
          [report.jobId, report.tokenHash, now, report.traceSize || null],
        )
        .then(([rows]: [{ status: Status; pipelineId: number }[], number]) => rows)) as {
        status: Status;
        pipelineId: number;
      }[];
      if (!job) return { accepted: false, jobStatus: await statusOf(manager, report) };
      if (report.state === 'success' || report.state === 'failed') {
        await finishJob(
          manager,
          say,
          report.jobId,
          { success: report.state === 'success', failureReason: report.failureReason, exitCode: report.exitCode },
          now,
        );
      } else if (job.status === 'pending') {
        await lockPipelines(manager, [job.pipelineId]);
        await moveJob(manager, say, report.jobId, 'pick', now);
        await processPipeline(manager, say, job.pipelineId, now);
      }
      return { accepted: true, jobStatus: await statusOf(manager, report) };
    });
  }

  @MessagePattern(ShowOwnJob.pattern)
  async showOwn(@Payload() { tokenHash }: ShowOwnJob): Promise<JobFacts | null> {
    const [row] = (await this.database.query(
      `select id from pipelines.jobs where token_hash = decode($1, 'hex') and status in ('running', 'canceling')`,
      [tokenHash],
    )) as { id: number }[];
    if (!row) return null;
    const [job] = await readJobs(this.database, [row.id], new Date());
    return job ?? null;
  }
}

/** Of a job that the token fits. */
async function statusOf(sql: Pick<DataSource, 'query'>, { jobId, tokenHash }: ReportJob): Promise<Status | null> {
  const [job] = (await sql.query(`select status from pipelines.jobs where id = $1 and token_hash = decode($2, 'hex')`, [
    jobId,
    tokenHash,
  ])) as {
    status: Status;
  }[];
  return job?.status ?? null;
}
