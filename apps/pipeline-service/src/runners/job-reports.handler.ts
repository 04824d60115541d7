import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  FindEndedJobs,
  type JobFacts,
  type JobReportAnswer,
  ReportContacts,
  ReportJob,
  ShowOwnJob,
  type Status,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DatabaseClock, Outbox, retryingTransaction } from '#libs/persistence';
import { DataSource, type EntityManager } from 'typeorm';
import { finishJob } from '../pipelines/finish-job.js';
import { readJobs } from '../pipelines/jobs.repository.js';
import {
  moveJob,
  type ShownPipeline,
  shownPipeline,
  startPipeline,
  statusOf,
} from '../pipelines/statuses.repository.js';
import { storedReason } from './failure-reasons.js';

interface Reported {
  pipeline: ShownPipeline;
  status: Status;
  /** The token is the job's, and was not taken away. */
  fits: boolean;
  coveragePattern: string | null;
}

const live: readonly Status[] = ['pending', 'running', 'canceling'];

/** Runners report on their jobs (runner-api.md §3). */
@Controller()
export class JobReportsHandler {
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
  ) {}

  /** The first report makes the job `running`; a job may also end without one (runner-api.md §2.5). */
  @MessagePattern(ReportJob.pattern)
  report(@Payload() report: ReportJob): Promise<JobReportAnswer> {
    const now = this.clock.now();
    return this.outbox.transaction(async (manager, say) => {
      const job = await lockJob(manager, report);
      if (!job?.fits) return { accepted: false, jobStatus: null };
      if (!live.includes(job.status)) return { accepted: false, jobStatus: job.status };

      if (report.state === 'running' && job.status === 'pending') {
        await moveJob(manager, say, report.jobId, 'pick', now);
        await startPipeline(manager, say, job.pipeline, now);
        // The usual first word, which somebody waits for: the job was heard of when it was handed out, just now.
        if (!report.debugTrace) return { accepted: true, jobStatus: 'running' };
      }
      const ends = report.state === 'success' || report.state === 'failed';
      if (ends && job.coveragePattern !== null && report.coverage === undefined)
        return { accepted: true, jobStatus: job.status, coveragePattern: job.coveragePattern };
      await manager.query(
        `update pipelines.jobs
         set last_contact_at = $2, trace_size = case when erased_at is null then greatest(trace_size, $3::bigint) end, debug_trace = debug_trace or $4
         where id = $1`,
        [report.jobId, now, report.traceSize || null, report.debugTrace ?? false],
      );
      if (ends) {
        await finishJob(
          manager,
          say,
          report.jobId,
          {
            success: report.state === 'success',
            failureReason: storedReason(report.failureReason),
            exitCode: report.exitCode,
            coverage: report.coverage,
          },
          now,
        );
      }
      return { accepted: true, jobStatus: await statusOf(manager, report.jobId) };
    });
  }

  @MessagePattern(ReportContacts.pattern)
  async contacts(@Payload() { contacts }: ReportContacts): Promise<null> {
    const now = this.clock.now();
    await retryingTransaction(this.database, async (manager) => {
      await manager.query(
        `insert into pipelines.gateway_reports (received_at) values ($1)
         on conflict (only_row) do update set received_at = greatest(gateway_reports.received_at, excluded.received_at)`,
        [now],
      );
      if (contacts.length === 0) return;
      // Locked in the order of their ids, lest two gateways that speak of the same jobs wait for each other.
      await manager.query(
        `with heard as materialized (
           select job.id, contact.trace_size from pipelines.jobs as job
             join unnest($1::bigint[], $2::bigint[]) as contact (id, trace_size) using (id)
           where job.status in ('running', 'canceling') order by job.id for no key update of job
         )
         update pipelines.jobs as job
         set last_contact_at = greatest(job.last_contact_at, $3), trace_size = greatest(job.trace_size, heard.trace_size)
         from heard where job.id = heard.id`,
        [contacts.map(([id]) => id), contacts.map(([, size]) => size), now],
      );
    });
    return null;
  }

  @MessagePattern(FindEndedJobs.pattern)
  async findEnded(@Payload() { jobIds }: FindEndedJobs): Promise<{ ended: number[]; gone: number[] }> {
    const rows = (await this.database.query(
      'select id, finished_at is not null as ended from pipelines.jobs where id = any($1::bigint[])',
      [jobIds],
    )) as { id: number; ended: boolean }[];
    const there = new Set(rows.map(({ id }) => id));
    return {
      ended: rows.flatMap(({ id, ended }) => (ended ? [id] : [])),
      gone: jobIds.filter((id) => !there.has(id)),
    };
  }

  @MessagePattern(ShowOwnJob.pattern)
  async showOwn(@Payload() { tokenHash }: ShowOwnJob): Promise<JobFacts | null> {
    const [row] = (await this.database.query(
      `select id from pipelines.jobs where token_hash = decode($1, 'hex') and status in ('running', 'canceling')`,
      [tokenHash],
    )) as { id: number }[];
    if (!row) return null;
    const [job] = await readJobs(this.database, [row.id], this.clock.now());
    return job ?? null;
  }
}

/**
 * The job that a report is about, and its pipeline, both locked: the pipeline first, as everybody does, since two that took them the other way round
 * would wait for each other. What is read here is what was there when both were locked.
 */
async function lockJob(manager: EntityManager, { jobId, tokenHash, state }: ReportJob): Promise<Reported | undefined> {
  const [row] = (await manager.query(
    `select ${shownPipeline}, job.status as "jobStatus", coalesce(job.token_hash = decode($2, 'hex'), false) and job.erased_at is null as fits,
       case when $3 then (select definition -> 'options' ->> 'coverage' from pipelines.planned_jobs as planned
         where planned.plan_id = job.plan_id and planned.position = job.position) end as "coveragePattern"
     from pipelines.pipelines as pipeline join pipelines.jobs as job on job.pipeline_id = pipeline.id
     where job.id = $1 for no key update of pipeline, job`,
    [jobId, tokenHash, state === 'success' || state === 'failed'],
  )) as (ShownPipeline & Omit<Reported, 'pipeline' | 'status'> & { jobStatus: Status })[];
  if (!row) return undefined;
  const { jobStatus, fits, coveragePattern, ...pipeline } = row;
  return { pipeline, status: jobStatus, fits, coveragePattern };
}
