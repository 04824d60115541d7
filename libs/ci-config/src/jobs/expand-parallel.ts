import type { ConfiguredJob, ExpandedNeeds, ExpandedRule } from '../ci-config.js';
import type { Need, Variable } from '../job.js';
import type { WrittenJob } from '../keywords/job.js';
import type { WrittenNeed } from '../keywords/needs.js';
import type { Limits } from '../limits.js';
import { ConfigError } from '../config-error.js';

/** Instances in a file per job allowed in a pipeline: rules may leave most of them out, but not without end. */
export const instancesPerAllowedJob = 4;

/**
 * Replaces `parallel` jobs by their instances (`job 1/3`, `job: [a, b]`) and rewrites `needs` and `dependencies` to these names
 * (ci-config.md §5.8). Stage indexes are set where the stage exists, else -1. Throws ConfigError when there are far too many.
 */
export function expandParallel(
  jobs: readonly WrittenJob[],
  stages: readonly string[],
  limits: Limits,
): ConfiguredJob[] {
  const stageIndexes = new Map(stages.map((stage, index) => [stage, index]));
  const names = new Map(jobs.map((job) => [job.name, instanceNames(job)]));
  const expanded: ConfiguredJob[] = [];
  for (const job of jobs) {
    const shared = withInstanceNames(job, stageIndexes.get(job.stage) ?? -1, names, limits);
    const own = names.get(job.name) as string[];
    if (expanded.length + own.length > limits.jobs * instancesPerAllowedJob)
      throw new ConfigError(sizeLimitText(limits.jobs), [job.name], job.line);
    own.forEach((name, index) => {
      const instance: ConfiguredJob = { ...shared, name };
      if (job.parallel) instance.parallel = { index: index + 1, total: own.length };
      if (job.parallel && 'matrix' in job.parallel) instance.matrixVariables = job.parallel.matrix[index] as Variable[];
      expanded.push(instance);
    });
  }
  return expanded;
}

export function sizeLimitText(limit: number): string {
  return `The number of jobs has exceeded the limit of ${limit}. Try splitting the configuration with parent-child-pipelines`;
}

function instanceNames(job: WrittenJob): string[] {
  if (!job.parallel) return [job.name];
  if ('matrix' in job.parallel) return job.parallel.matrix.map((values) => matrixName(job.name, values));
  const { total } = job.parallel;
  return Array.from({ length: total }, (_, index) => `${job.name} ${index + 1}/${total}`);
}

function matrixName(job: string, values: readonly Variable[]): string {
  return `${job}: [${values.map(({ value }) => value).join(', ')}]`;
}

type Names = ReadonlyMap<string, readonly string[]>;

function withInstanceNames(job: WrittenJob, stageIdx: number, names: Names, limits: Limits): ConfiguredJob {
  const { needs, parallel: _, rules, ...rest } = job;
  const configured: ConfiguredJob = { ...rest, stageIdx };
  if (needs) configured.needs = expandNeeds(needs, names, limits);
  if (job.dependencies) {
    const dependencies = job.dependencies.flatMap((name) => names.get(name) ?? [name]);
    configured.dependencies = dependencies;
  }
  if (rules !== undefined)
    configured.rules =
      rules &&
      rules.map((rule): ExpandedRule => {
        const { needs: ruleNeeds, ...conditions } = rule;
        return ruleNeeds ? { ...conditions, needs: expandNeeds(ruleNeeds, names, limits) } : conditions;
      });
  return configured;
}

function expandNeeds(needs: readonly WrittenNeed[], names: Names, limits: Limits): ExpandedNeeds {
  const list: Need[] = [];
  let count = 0;
  for (const need of needs) {
    const instances = need.matrix?.map((values) => matrixName(need.name, values)) ??
      names.get(need.name) ?? [need.name];
    count += instances.length;
    for (const name of instances.slice(0, limits.needs + 1 - list.length))
      list.push({ name, artifacts: need.artifacts, optional: need.optional });
  }
  return { list, count };
}
