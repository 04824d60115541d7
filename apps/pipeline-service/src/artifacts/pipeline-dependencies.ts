import { expandText, type PipelineNeed, type Variable } from '#libs/ci-config';
import { readUpstreams, type Upstream } from '../bridges/bridges.repository.js';
import type { Sql } from '../pipelines/pipelines.repository.js';
import { type EarlierJob, MissingDependency, readEarlierJobs } from './job-dependencies.js';

/**
 * The jobs of other pipelines whose artifacts a job gets, `needs: [{ pipeline, job }]`. They must be of the same family: a parent and its
 * children, whose children included.
 *
 * @param variables of the job: one of them usually holds the pipeline's id
 * @throws MissingDependency
 */
export async function pipelineDependencies(
  sql: Sql,
  needs: readonly PipelineNeed[],
  pipelineId: number,
  variables: readonly Variable[],
): Promise<EarlierJob[]> {
  const wanted = needs.filter(({ artifacts }) => artifacts);
  if (wanted.length === 0) return [];
  const known = new Map(variables.map((variable) => [variable.key, variable]));
  const family = familyOf(await readUpstreams(sql, pipelineId));
  const found: EarlierJob[] = [];
  for (const { pipeline, job: name } of wanted) {
    const id = idIn(expandText(pipeline, (key) => known.get(key), 'remove'));
    const own = id !== null && familyOf(await readUpstreams(sql, id)) === family;
    if (!own || !(await hasSucceeded(sql, id, name)))
      throw new MissingDependency(
        `There is no job ${name} that succeeded in a pipeline ${pipeline} of the same family`,
      );
    const job = (await readEarlierJobs(sql, id)).find((one) => one.name === name);
    if (job?.gone) throw new MissingDependency(`The artifacts of ${name} are not there any more`);
    if (job) found.push(job);
  }
  return found;
}

function idIn(expanded: ReturnType<typeof expandText>): number | null {
  return expanded.ok && /^[1-9]\d{0,14}$/.test(expanded.text) ? Number(expanded.text) : null;
}

/** The pipeline that the family begins with: the first that is no child. */
function familyOf(chain: Upstream[]): number | undefined {
  return chain.find(({ source }) => source !== 'parent_pipeline')?.id;
}

async function hasSucceeded(sql: Sql, pipelineId: number, name: string): Promise<boolean> {
  const rows = (await sql.query(
    `select from pipelines.jobs where pipeline_id = $1 and name = $2 and not retried and status = 'success'`,
    [pipelineId, name],
  )) as unknown[];
  return rows.length > 0;
}
