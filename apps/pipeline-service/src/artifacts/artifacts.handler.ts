import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  AddArtifact,
  ArtifactsRemoved,
  DeleteArtifacts,
  FindArchive,
  FindLatestArchive,
  FindUnrecordedArtifacts,
  forbidden,
  KeepArtifacts,
  nothingHere,
  refusedRequest,
  type StoredArtifact,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DatabaseClock, Outbox } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { expiry } from './artifact-expiry.js';

const columns = `artifact.job_id as "jobId", artifact.type, artifact.format, artifact.filename, artifact.size, artifact.storage_key as "storageKey"`;
const ended = ['success', 'failed', 'canceled', 'skipped'];

/** Records of what jobs left (runner-api.md §5). The gateways have the bytes, and delete those that `artifacts.removed.v1` names. */
@Controller()
export class ArtifactsHandler {
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
  ) {}

  @MessagePattern(AddArtifact.pattern)
  add(@Payload() order: AddArtifact): Promise<{ kept: boolean }> {
    const now = this.clock.now();
    return this.outbox.transaction(async (manager) => {
      const [job] = (await manager.query(
        `select status in ('running', 'canceling') and erased_at is null as live from pipelines.jobs
         where id = $1 and token_hash = decode($2, 'hex') for no key update`,
        [order.jobId, order.tokenHash],
      )) as { live: boolean }[];
      if (!job?.live) throw forbidden();
      const added = (await manager.query(
        `insert into pipelines.artifacts (job_id, type, format, filename, size, sha256, storage_key, variables, created_at, expire_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (job_id, type) do nothing returning id`,
        [
          order.jobId,
          order.type,
          order.format,
          order.filename,
          order.size,
          order.sha256,
          order.storageKey,
          order.variables === undefined ? null : JSON.stringify(order.variables),
          now,
          expiry(order.expireIn, now),
        ],
      )) as unknown[];
      if (added.length > 0) return { kept: true };
      const same = (await manager.query(
        'select from pipelines.artifacts where job_id = $1 and type = $2 and sha256 = $3',
        [order.jobId, order.type, order.sha256],
      )) as unknown[];
      if (same.length === 0) throw refusedRequest('another artifact of the same type already exists');
      return { kept: false };
    });
  }

  @MessagePattern(FindUnrecordedArtifacts.pattern)
  async findUnrecorded(@Payload() { storageKeys }: FindUnrecordedArtifacts): Promise<{ unrecorded: string[] }> {
    const rows = (await this.database.query(
      `select key from unnest($1::text[]) as key
       where not exists (select from pipelines.artifacts where storage_key = key)`,
      [storageKeys],
    )) as { key: string }[];
    return { unrecorded: rows.map(({ key }) => key) };
  }

  @MessagePattern(FindArchive.pattern)
  async find(@Payload() { projectId, jobId }: FindArchive): Promise<StoredArtifact | null> {
    const [found] = (await this.database.query(
      `select ${columns} from pipelines.artifacts as artifact join pipelines.jobs as job on job.id = artifact.job_id
       where job.id = $1 and job.project_id = $2 and artifact.type = 'archive' and artifact.storage_key is not null`,
      [jobId, projectId],
    )) as StoredArtifact[];
    return found ?? null;
  }

  @MessagePattern(FindLatestArchive.pattern)
  async findLatest(@Payload() { projectId, ref, jobName }: FindLatestArchive): Promise<StoredArtifact | null> {
    const [found] = (await this.database.query(
      `with latest as (
         select id from pipelines.pipelines where project_id = $1 and ref = $2 and status = 'success' order by id desc limit 1
       )
       select ${columns} from latest join pipelines.jobs as job on job.pipeline_id = latest.id
         join pipelines.artifacts as artifact on artifact.job_id = job.id
       where job.name = $3 and not job.retried and artifact.type = 'archive' and artifact.storage_key is not null`,
      [projectId, ref, jobName],
    )) as StoredArtifact[];
    return found ?? null;
  }

  @MessagePattern(KeepArtifacts.pattern)
  async keep(@Payload() { projectId, jobId }: KeepArtifacts): Promise<null> {
    const [, kept] = (await this.database.query(
      `update pipelines.artifacts as artifact set expire_at = null from pipelines.jobs as job
       where job.id = artifact.job_id and job.id = $1 and job.project_id = $2 and artifact.storage_key is not null`,
      [jobId, projectId],
    )) as [unknown, number];
    if (kept === 0) throw nothingHere();
    return null;
  }

  @MessagePattern(DeleteArtifacts.pattern)
  delete(@Payload() { projectId, jobId }: DeleteArtifacts): Promise<null> {
    return this.outbox.transaction(async (manager, say) => {
      const [rows] = (await manager.query(
        `delete from pipelines.artifacts as artifact using pipelines.jobs as job
         where job.id = artifact.job_id and job.project_id = $1 and (job.id = $2 or ($2::bigint is null and job.status = any($3)))
         returning artifact.storage_key as key`,
        [projectId, jobId ?? null, ended],
      )) as [{ key: string | null }[], number];
      const storageKeys = rows.flatMap(({ key }) => key ?? []);
      if (storageKeys.length > 0) say(ArtifactsRemoved, { storageKeys });
      return null;
    });
  }
}
