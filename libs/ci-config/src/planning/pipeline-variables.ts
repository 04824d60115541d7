import type { Job, Variable } from '../job.js';
import type { PipelineContext } from '../plan.js';
import { mayRefer, type FindVariable } from '../variables/expand-variables.js';

/**
 * Variables as one pipeline, or one job of it, sees them: the layers of ci-config.md §4.1, of which the highest that knows a key
 * decides. Finding one costs a few map accesses; no list of all is ever made.
 */
export class PipelineVariables {
  private readonly above: Map<string, Variable>;
  private readonly below: Map<string, Variable>;
  private readonly referring: Variable[];

  constructor(context: PipelineContext) {
    this.above = lastOfEach(context.userVariables, context.projectVariables, context.pipelineVariables);
    this.below = lastOfEach(triggerVariables(context), context.predefined);
    this.referring = [...this.below.values(), ...this.above.values()].filter(mayRefer);
  }

  /** With the variables of the file, and those that only a job has; the latter are made when somebody asks. */
  scope(file: ReadonlyMap<string, Variable>, jobPredefined: () => readonly Variable[] = () => []): VariableScope {
    let job: Map<string, Variable> | undefined;
    const find = (key: string) => {
      const variable = this.above.get(key) ?? file.get(key) ?? this.below.get(key);
      if (variable) return variable;
      job ??= lastOfEach(jobPredefined());
      return job.get(key);
    };
    return {
      find,
      lookup: (key) => find(key)?.value,
      // A variable that another layer overrides does not count.
      referring: () => {
        const referring = this.referring.filter((variable) => find(variable.key) === variable);
        file.forEach((variable) => {
          if (mayRefer(variable) && find(variable.key) === variable) referring.push(variable);
        });
        return referring;
      },
    };
  }
}

export interface VariableScope {
  find: FindVariable;
  lookup: (key: string) => string | undefined;
  /** Variables whose values may refer to others. */
  referring: () => Variable[];
}

/** One entry per key, the last one counting, in order of first appearance. */
export function lastOfEach(...layers: Iterable<Variable>[]): Map<string, Variable> {
  const variables = new Map<string, Variable>();
  for (const layer of layers) for (const variable of layer) variables.set(variable.key, variable);
  return variables;
}

/** What there is of a job before any rule is looked at. */
export type JobOutline = Pick<Job, 'name' | 'stage' | 'parallel' | 'environment'> & { when?: Job['when'] };

/** The predefined variables that depend on the job, lowest in precedence (ci-config.md §4.4). */
export function jobPredefinedVariables(job: JobOutline): Variable[] {
  const variables: Variable[] = [
    { key: 'CI_JOB_NAME', value: job.name },
    { key: 'CI_JOB_NAME_SLUG', value: slug(job.name) },
    { key: 'CI_JOB_GROUP_NAME', value: groupName(job.name) },
    { key: 'CI_JOB_STAGE', value: job.stage },
    { key: 'CI_NODE_TOTAL', value: String(job.parallel?.total ?? 1) },
  ];
  if (job.parallel) variables.push({ key: 'CI_NODE_INDEX', value: String(job.parallel.index) });
  if (job.when === 'manual' || job.when === 'delayed') variables.push({ key: 'CI_JOB_MANUAL', value: 'true' });
  if (job.environment) {
    const { name, action, url, deploymentTier } = job.environment;
    variables.push(
      { key: 'CI_ENVIRONMENT_NAME', value: name },
      { key: 'CI_ENVIRONMENT_ACTION', value: action },
      { key: 'CI_ENVIRONMENT_TIER', value: deploymentTier ?? guessTier(name) },
    );
    if (url !== undefined) variables.push({ key: 'CI_ENVIRONMENT_URL', value: url });
  }
  return variables;
}

function triggerVariables(context: PipelineContext): Variable[] {
  if (!context.trigger) return [];
  return [
    { key: 'CI_PIPELINE_TRIGGERED', value: 'true' },
    { key: 'CI_TRIGGER_SHORT_TOKEN', value: context.trigger.shortToken },
  ];
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
}

/** Name without `1/3` or `: [a, b]` at its end. */
function groupName(name: string): string {
  let rest = name.trimEnd();
  // One after the other: a pattern of up to three would try every way in which brackets can share a name.
  for (let parts = 0; parts < 3; parts += 1)
    rest = rest.endsWith(']') ? rest.replace(/[\s:]+\[.*$/, '') : rest.replace(/[\s:]+\d+[\s:/\\]+\d+$/, '');
  return rest.trim();
}

function guessTier(environment: string): string {
  if (/dev|review|trunk/i.test(environment)) return 'development';
  if (/test|tst|int|ac(?:ce|)pt|qa|qc|control|quality/i.test(environment)) return 'testing';
  if (/sta?g|mode?l|pre|demo|non/i.test(environment)) return 'staging';
  return /pro?d|live/i.test(environment) ? 'production' : 'other';
}
