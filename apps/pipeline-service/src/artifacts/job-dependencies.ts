import type { Job } from '#libs/ci-config';
import type { Sql } from '../pipelines/pipelines.repository.js';

/** A job of the same pipeline, and what it left. */
export interface EarlierJob {
  id: number;
  name: string;
  stageIdx: number;
  /** Null when it left none, or the bytes are gone. */
  archive: { filename: string; size: number } | null;
  /** It left artifacts that are not there any more, or was erased. */
  gone: boolean;
  /** Of its dotenv report. */
  variables: { key: string; value: string }[];
}

/** Raised when artifacts that a job depends on are gone; GitLab fails such a job as `missing_dependency_failure`. */
export class MissingDependency extends Error {
  override readonly name = 'MissingDependency';
}

/**
 * The jobs whose artifacts a job gets, in the order in which they are unpacked (ci-config.md §6.1): with `needs`, those it needs unless told
 * otherwise; without, all of earlier stages. `dependencies` narrows either. Pure.
 *
 * @param jobs of the pipeline, the latest attempt of each, in the order of stages
 * @throws MissingDependency
 */
export function dependenciesOf(
  job: Pick<Job, 'scheduling' | 'stageIdx' | 'needs' | 'dependencies'>,
  jobs: EarlierJob[],
): EarlierJob[] {
  const byName = new Map(jobs.map((one) => [one.name, one]));
  const reachable =
    job.scheduling === 'dag'
      ? job.needs.filter(({ artifacts }) => artifacts).flatMap(({ name }) => byName.get(name) ?? [])
      : jobs.filter(({ stageIdx }) => stageIdx < job.stageIdx);
  const chosen = job.dependencies ? reachable.filter(({ name }) => job.dependencies?.includes(name)) : reachable;
  const gone = chosen.filter((one) => one.gone).map(({ name }) => name);
  if (gone.length > 0) throw new MissingDependency(`The artifacts of ${gone.join(', ')} are not there any more`);
  return chosen;
}

/** Whether there can be anything in `dependenciesOf` this job: most jobs are of the first stage and need none. Pure. */
export function mayDependOnJobs({
  scheduling,
  stageIdx,
  needs,
}: Pick<Job, 'scheduling' | 'stageIdx' | 'needs'>): boolean {
  return scheduling === 'dag' ? needs.some(({ artifacts }) => artifacts) : stageIdx > 0;
}

/** The jobs of a pipeline with what they left. */
export async function readEarlierJobs(sql: Sql, pipelineId: number): Promise<EarlierJob[]> {
  return sql.query(
    `select job.id, job.name, job.stage_idx as "stageIdx",
       case when archive.storage_key is not null then json_build_object('filename', archive.filename, 'size', archive.size) end as archive,
       (archive.id is not null and archive.storage_key is null) or job.erased_at is not null as gone,
       coalesce(dotenv.variables, '[]') as variables
     from pipelines.jobs as job
       left join pipelines.artifacts as archive on archive.job_id = job.id and archive.type = 'archive'
       left join pipelines.artifacts as dotenv on dotenv.job_id = job.id and dotenv.type = 'dotenv'
     where job.pipeline_id = $1 and not job.retried and (archive.id is not null or dotenv.id is not null or job.erased_at is not null)
     order by job.stage_idx, job.position, job.id`,
    [pipelineId],
  ) as Promise<EarlierJob[]>;
}
