import type { ConfiguredJob, ExpandedNeeds, ExpandedRule } from '../ci-config.js';
import { ConfigError } from '../config-error.js';
import type { Need, Variable } from '../job.js';
import type { WrittenJob } from '../keywords/job.js';
import type { WrittenNeed } from '../keywords/needs.js';
import type { Limits } from '../limits.js';

/** Instances in a file per job allowed in a pipeline: rules may leave most of them out, but not without end. */
export const instancesPerAllowedJob = 4;

/**
 * Replaces `parallel` jobs by their instances (`job 1/3`, `job: [a, b]`) and rewrites `needs` and `dependencies` to these names
 * (ci-config.md §5.8). Stage indexes are set where the stage exists, else -1. Throws ConfigError when there are far too many,
 * and for needs that refer to what is not in the job's own matrix.
 */
export function expandParallel(
  jobs: readonly WrittenJob[],
  stages: readonly string[],
  limits: Limits,
): ConfiguredJob[] {
  const stageIndexes = new Map(stages.map((stage, index) => [stage, index]));
  const names: Names = new Map(jobs.map((job) => [job.name, instanceNames(job)]));
  const expanded: ConfiguredJob[] = [];
  for (const job of jobs) {
    const stageIdx = stageIndexes.get(job.stage) ?? -1;
    const own = names.get(job.name) as string[];
    if (expanded.length + own.length > limits.jobs * instancesPerAllowedJob)
      throw new ConfigError(sizeLimitText(limits.jobs), [job.name], job.position);
    const { parallel } = job;
    if (!parallel) {
      expanded.push(withInstanceNames(job, job.name, stageIdx, names, limits, []));
      continue;
    }
    const matrix = 'matrix' in parallel ? parallel.matrix : undefined;
    const shared = usesMatrix(job) ? undefined : withInstanceNames(job, job.name, stageIdx, names, limits, []);
    own.forEach((name, index) => {
      const values = matrix?.[index] ?? [];
      const instance = shared ? { ...shared, name } : withInstanceNames(job, name, stageIdx, names, limits, values);
      instance.parallel = { index: index + 1, total: own.length };
      if (matrix) instance.matrixVariables = values;
      expanded.push(instance);
    });
  }
  return expanded;
}

export function sizeLimitText(limit: number): string {
  return `The number of jobs has exceeded the limit of ${limit}. Try splitting the configuration with parent-child-pipelines`;
}

type Names = ReadonlyMap<string, readonly string[]>;

function instanceNames(job: WrittenJob): string[] {
  if (!job.parallel) return [job.name];
  if ('matrix' in job.parallel) return job.parallel.matrix.map((values) => matrixName(job.name, values));
  const { total } = job.parallel;
  return Array.from({ length: total }, (_, index) => `${job.name} ${index + 1}/${total}`);
}

function matrixName(job: string, values: readonly Variable[]): string {
  return `${job}: [${values.map(({ value }) => value).join(', ')}]`;
}

function withInstanceNames(
  job: WrittenJob,
  name: string,
  stageIdx: number,
  names: Names,
  limits: Limits,
  matrix: readonly Variable[],
): ConfiguredJob {
  const expand = (written: readonly WrittenNeed[]) => expandNeeds(job, written, names, limits, matrix);
  // Written out, because spreading an object of so many keys costs ten times as much, for each job.
  return {
    name,
    position: job.position,
    stage: job.stage,
    stageIdx,
    variables: job.variables,
    inheritsVariable: job.inheritsVariable,
    tags: job.tags,
    options: job.options,
    when: job.when,
    startIn: job.startIn,
    rules: job.rules?.some((rule) => rule.needs)
      ? job.rules.map((rule): ExpandedRule => ({ ...rule, needs: rule.needs && expand(rule.needs) }))
      : (job.rules as ExpandedRule[] | null | undefined),
    only: job.only,
    except: job.except,
    allowFailure: job.allowFailure,
    needs: job.needs && expand(job.needs),
    pipelineNeeds: job.pipelineNeeds,
    mirrors: job.mirrors,
    trigger: job.trigger,
    dependencies: job.dependencies?.flatMap((one) => names.get(one) ?? [one]),
    parallel: undefined,
    matrixVariables: undefined,
    environment: job.environment,
    resourceGroup: job.resourceGroup,
    interruptible: job.interruptible,
    retry: job.retry,
    timeout: job.timeout,
  };
}

function expandNeeds(
  job: WrittenJob,
  needs: readonly WrittenNeed[],
  names: Names,
  limits: Limits,
  matrix: readonly Variable[],
): ExpandedNeeds {
  const list: Need[] = [];
  let count = 0;
  for (const need of needs) {
    const instances = need.matrix?.map((values) =>
      matrixName(
        need.name,
        values.map(({ key, value }) => ({ key, value: withOwnMatrix(job, value, matrix) })),
      ),
    ) ??
      names.get(need.name) ?? [need.name];
    count += instances.length;
    for (const name of instances.slice(0, limits.needs + 1 - list.length))
      list.push({ name, artifacts: need.artifacts, optional: need.optional });
  }
  return { list, count };
}

const ownMatrix = /\$\[\[\s*matrix\.([\w-]+)\s*\]\]/g;

/** Whether its needs differ from instance to instance. */
function usesMatrix(job: WrittenJob): boolean {
  const needs = [...(job.needs ?? []), ...(job.rules ?? []).flatMap((rule) => rule.needs ?? [])];
  return needs.some((need) => need.matrix?.some((values) => values.some(({ value }) => value.includes('$[['))));
}

/** `$[[ matrix.OS ]]` is the value that the needing instance has for `OS`. */
function withOwnMatrix(job: WrittenJob, text: string, matrix: readonly Variable[]): string {
  if (!text.includes('$[[')) return text;
  return text.replace(ownMatrix, (_, name: string) => {
    const variable = matrix.find(({ key }) => key === name);
    if (!variable)
      throw new ConfigError(
        `${job.name} job: '${name}' does not exist in matrix configuration`,
        [job.name, 'needs'],
        job.position,
      );
    return variable.value;
  });
}
