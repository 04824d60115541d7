import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  ListRunnerJobs,
  ListRunnerManagers,
  type Page,
  type RunnerJob,
  type RunnerManagerFacts,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DatabaseClock } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { readJobs } from '../pipelines/jobs.repository.js';
import { machineJson, type MachineRow, managerFacts } from './runner-contact.js';
import { findManaged } from './runners.repository.js';

/** What hangs on a runner: its machines and its jobs. */
@Controller()
export class RunnerListsHandler {
  constructor(
    private readonly database: DataSource,
    private readonly clock: DatabaseClock,
  ) {}

  @MessagePattern(ListRunnerManagers.pattern)
  async managers(@Payload() request: ListRunnerManagers): Promise<RunnerManagerFacts[]> {
    const now = this.clock.now();
    const { id } = await findManaged(this.database, request, now);
    const rows = (await this.database.query(
      `select ${machineJson} as machine from pipelines.runner_machines as machine where runner_id = $1 order by contacted_at desc, id desc`,
      [id],
    )) as { machine: MachineRow }[];
    return rows.map(({ machine }) => managerFacts(machine, now));
  }

  @MessagePattern(ListRunnerJobs.pattern)
  async jobs(@Payload() request: ListRunnerJobs): Promise<Page<RunnerJob>> {
    const now = this.clock.now();
    const { id } = await findManaged(this.database, request, now);
    const rows = (await this.database.query(
      `select id, count(*) over ()::int as total from pipelines.jobs
       where runner_id = $1 and ($2::bigint[] is null or project_id = any($2)) and ($3::text is null or status = $3)
         and ($4::text is null or runner_system_id = $4)
       order by id ${request.oldestFirst ? 'asc' : 'desc'} limit $5 offset $6`,
      [
        id,
        request.projectIds ?? null,
        request.status ?? null,
        request.systemId ?? null,
        request.perPage,
        (request.page - 1) * request.perPage,
      ],
    )) as { id: number; total: number }[];
    const jobs = await readJobs(
      this.database,
      rows.map((row) => row.id),
      now,
    );
    const projects = await this.#projects(jobs.map(({ pipeline }) => pipeline.projectId));
    const items = jobs.flatMap((job) => {
      const project = projects.get(job.pipeline.projectId);
      return project ? [{ job, project }] : [];
    });
    return { items, total: rows[0]?.total ?? 0 };
  }

  async #projects(ids: number[]): Promise<Map<number, RunnerJob['project']>> {
    const rows = (await this.database.query(
      `select project.id, project.name, project.path, project.full_path as "fullPath", project.description, project.created_at as "createdAt",
         case namespace.kind when 'user' then namespace.name else replace(namespace.path, '/', ' / ') end as namespace
       from pipelines.projects as project join pipelines.namespaces as namespace on namespace.id = project.namespace_id
       where project.id = any($1::bigint[])`,
      [ids],
    )) as (Omit<RunnerJob['project'], 'createdAt'> & { createdAt: Date })[];
    return new Map(rows.map((row) => [row.id, { ...row, createdAt: row.createdAt.toISOString() }]));
  }
}
