import type { Job, Variable } from '../job.js';
import type { PipelineContext } from '../plan.js';

/**
 * Variables as one pipeline, or one job of it, sees them: the layers of ci-config.md §4.1, of which the highest that knows a key
 * decides. Looking one up costs a few map accesses; whole lists are made only where text is expanded.
 */
export class PipelineVariables {
  private readonly above: Map<string, string>;
  private readonly below: Map<string, string>;

  constructor(private readonly context: PipelineContext) {
    this.above = valuesOf([...context.userVariables, ...context.projectVariables, ...context.pipelineVariables]);
    this.below = valuesOf([...triggerVariables(context), ...context.predefined]);
  }

  /** With the variables of the file, and those that only a job has; the latter are made when somebody asks. */
  scope(fromFile: readonly Variable[], jobPredefined: () => readonly Variable[] = () => []): VariableScope {
    const file = valuesOf(fromFile);
    let job: Map<string, string> | undefined;
    return {
      lookup: (key) => {
        const value = this.above.get(key) ?? file.get(key) ?? this.below.get(key);
        if (value !== undefined) return value;
        job ??= valuesOf(jobPredefined());
        return job.get(key);
      },
      all: () => [
        ...jobPredefined(),
        ...triggerVariables(this.context),
        ...this.context.predefined,
        ...fromFile,
        ...this.context.userVariables,
        ...this.context.projectVariables,
        ...this.context.pipelineVariables,
      ],
    };
  }
}

export interface VariableScope {
  lookup: (key: string) => string | undefined;
  /** Lowest layer first. */
  all: () => Variable[];
}

/** One entry per key, the last one counting, in order of first appearance. */
export function lastOfEach(...layers: (readonly Variable[])[]): Variable[] {
  const byKey = new Map<string, Variable>();
  for (const layer of layers) for (const variable of layer) byKey.set(variable.key, variable);
  return [...byKey.values()];
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

function valuesOf(variables: readonly Variable[]): Map<string, string> {
  return new Map(variables.map(({ key, value }) => [key, value]));
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
  return name.replace(/(?:[\s:]+(?:\[.*\]|\d+[\s:/\\]+\d+)){1,3}\s*$/, '').trim();
}

function guessTier(environment: string): string {
  if (/dev|review|trunk/i.test(environment)) return 'development';
  if (/test|tst|int|ac(?:ce|)pt|qa|qc|control|quality/i.test(environment)) return 'testing';
  if (/sta?g|mode?l|pre|demo|non/i.test(environment)) return 'staging';
  return /pro?d|live/i.test(environment) ? 'production' : 'other';
}
