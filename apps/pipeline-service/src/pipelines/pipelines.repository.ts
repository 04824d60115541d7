import type { PipelineFacts, PipelineSource, Status, TriggerChannel, UserFacts } from '#libs/contracts';
import type { EntityManager } from 'typeorm';

/** Whoever can run SQL: the database itself, or a transaction of it. */
export type Sql = Pick<EntityManager, 'query'>;

/** A pipeline as `pipelineColumns` read it. */
export interface PipelineRow {
  id: number;
  iid: number;
  projectId: number;
  projectPath: string;
  sha: string;
  ref: string;
  tag: boolean;
  status: Status;
  warnings: boolean;
  source: PipelineSource;
  name: string | null;
  yamlErrors: string | null;
  userId: number | null;
  user: UserFacts | null;
  createdAt: Date;
  updatedAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  duration: number | null;
  coverage: number | null;
  triggerId: number | null;
  triggerShortToken: string | null;
  channel: TriggerChannel | null;
}

/** What pipelines are read by; the tables are named `pipeline`, `project` and `owner`. */
export const pipelineColumns = `pipeline.id, pipeline.iid, pipeline.project_id as "projectId", project.full_path as "projectPath", pipeline.sha, pipeline.ref,
  pipeline.tag, pipeline.status, pipeline.warnings, pipeline.source, pipeline.name, pipeline.yaml_errors as "yamlErrors",
  json_build_object('id', owner.id, 'username', owner.username, 'name', owner.name, 'state', owner.state) as "user",
  pipeline.created_at as "createdAt", pipeline.updated_at as "updatedAt", pipeline.started_at as "startedAt", pipeline.finished_at as "finishedAt",
  pipeline.duration, pipeline.coverage, pipeline.trigger_id as "triggerId", pipeline.trigger_short_token as "triggerShortToken", pipeline.channel`;

export const pipelineTables = `pipelines.pipelines as pipeline
  join pipelines.projects as project on project.id = pipeline.project_id
  left join pipelines.users as owner on owner.id = pipeline.user_id`;

/** Pipelines by id, in the order of the ids; those that are not there are left out. */
export async function readPipelines(sql: Sql, ids: readonly number[]): Promise<PipelineFacts[]> {
  const rows: PipelineRow[] = await sql.query(
    `select ${pipelineColumns} from ${pipelineTables} where pipeline.id = any($1::bigint[]) order by array_position($1::bigint[], pipeline.id)`,
    [ids],
  );
  return rows.map(pipelineFacts);
}

export function pipelineFacts(row: PipelineRow): PipelineFacts {
  return {
    id: row.id,
    iid: row.iid,
    projectId: row.projectId,
    projectPath: row.projectPath,
    sha: row.sha,
    beforeSha: '0'.repeat(40),
    ref: row.ref,
    tag: row.tag,
    status: row.status,
    warnings: row.warnings,
    source: row.source,
    name: row.name,
    yamlErrors: row.yamlErrors,
    user: row.user?.id == null ? null : row.user,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    startedAt: row.startedAt?.toISOString() ?? null,
    finishedAt: row.finishedAt?.toISOString() ?? null,
    committedAt: null,
    duration: row.duration,
    queuedDuration: row.startedAt ? Math.floor((row.startedAt.getTime() - row.createdAt.getTime()) / 1000) : null,
    coverage: row.coverage,
    archived: false,
    trigger: triggerOf(row),
  };
}

/** The trigger that started a pipeline, if one did. */
export function triggerOf({
  triggerId,
  triggerShortToken,
  channel,
}: Pick<PipelineRow, 'triggerId' | 'triggerShortToken' | 'channel'>): PipelineFacts['trigger'] {
  return triggerId === null ? null : { id: triggerId, shortToken: triggerShortToken ?? '', channel: channel ?? 'api' };
}
