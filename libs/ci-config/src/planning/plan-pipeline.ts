import type { CiConfig } from '../ci-config.js';
import { ConfigError } from '../config-error.js';
import { Patterns } from '../expressions/pattern.js';
import { PathMatcher } from '../paths/path-matcher.js';
import { sizeLimitText } from '../jobs/expand-parallel.js';
import type { Job } from '../job.js';
import type { LeftOut, PipelineContext, Plan, RefusalReason } from '../plan.js';
import { clip } from '../problem.js';
import { expandText, findCircularReference, type FindVariable } from '../variables/expand-variables.js';
import { lastOfEach, PipelineVariables } from './pipeline-variables.js';
import { planJob, type PlannedJob } from './plan-job.js';
import { decideWorkflow } from './workflow-decision.js';

const filteredByWorkflow = 'The pipeline did not run. Review the workflow:rules configuration for the pipeline.';
const filteredByRules =
  'The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.';
const longestName = 255;

type InPipeline = Extract<PlannedJob, { job: Job }>;

/**
 * Steps 10–13 of ci-config.md §0: the configuration and one pipeline's circumstances in, its jobs or the reason for none out.
 * Pure; calls back only for what `CiConfig.usesFileList` and its like announce. Jobs come in order of stages; the stages
 * listed are those that have jobs.
 */
export function planPipeline(config: CiConfig, context: PipelineContext): Plan {
  try {
    return plan(config, context);
  } catch (error) {
    if (error instanceof ConfigError) return refusal(config, 'config_error', error.message);
    throw error;
  }
}

function plan(config: CiConfig, context: PipelineContext): Plan {
  const tools = {
    variables: new PipelineVariables(context),
    patterns: new Patterns(),
    paths: new PathMatcher(context),
  };
  const workflow = decideWorkflow(config, tools);
  if ('error' in workflow) return refusal(config, 'config_error', workflow.error);
  if (!workflow.runs) return refusal(config, 'filtered_by_workflow_rules', filteredByWorkflow);
  const globals = [...lastOfEach(config.variables, workflow.variables).values()];
  const name = expandName(config.workflow.name, tools.variables.scope(lastOfEach(globals)).find);
  if ('error' in name) return refusal(config, 'config_error', name.error);

  const planned: InPipeline[] = [];
  const leftOut: LeftOut[] = [];
  let variablesLeft = config.limits.variables;
  for (const configured of config.jobs) {
    variablesLeft -= globals.length + configured.variables.length;
    if (variablesLeft < 0)
      return refusal(config, 'size_limit_exceeded', tooManyVariables(config.limits.variables), leftOut);
    const result = planJob(configured, { config, context, globals, ...tools });
    if ('error' in result) return refusal(config, 'config_error', result.error, leftOut);
    if ('leftOutBy' in result) leftOut.push({ job: configured.name, rule: result.leftOutBy });
    else planned.push(result);
  }
  const fault = findFault(planned, config);
  if (fault !== null) return refusal(config, 'config_error', fault, leftOut);
  if (planned.length > config.limits.jobs)
    return refusal(config, 'size_limit_exceeded', sizeLimitText(config.limits.jobs), leftOut);
  const jobs = planned.map(({ job }) => job);
  if (jobs.every(({ stage }) => stage === '.pre' || stage === '.post'))
    return refusal(config, 'filtered_by_rules', filteredByRules, leftOut);
  dropAbsentNeeds(jobs);
  const stages = [...new Set(jobs.map(({ stage }) => stage))];
  return {
    ok: true,
    ...(name.text !== '' && { name: name.text }),
    ...(workflow.autoCancel && { autoCancel: workflow.autoCancel }),
    stages,
    jobs,
    leftOut,
    warnings: config.warnings,
  };
}

function refusal({ warnings }: CiConfig, reason: RefusalReason, error: string, leftOut?: LeftOut[]): Plan {
  return { ok: false, reason, errors: [clip(error)], ...(leftOut && { leftOut }), warnings };
}

function tooManyVariables(limit: number): string {
  return `The jobs have more than ${limit} variables in all. Try to set them in the jobs that need them`;
}

function expandName(written: string | undefined, find: FindVariable): { text: string } | { error: string } {
  if (written === undefined) return { text: '' };
  const expanded = expandText(written, find, 'remove');
  if (!expanded.ok) return { error: expanded.error };
  const text = expanded.text.trim();
  if (text.length > longestName)
    return { error: `Failed to build pipeline metadata! Name is too long (maximum is ${longestName} characters)` };
  return { text };
}

/** Step 12: what only the jobs that are in can have wrong. */
function findFault(planned: readonly InPipeline[], config: CiConfig): string | null {
  const names = new Set(planned.map(({ job }) => job.name));
  const { needs: needsAtMost } = config.limits;
  for (const { job, needsCount } of planned)
    if (needsCount > needsAtMost)
      return `${job.name}: one job can only need ${needsAtMost} others, but you have listed ${needsCount}. See needs keyword documentation for more details`;
  const missing: string[] = [];
  for (const { job } of planned)
    for (const need of job.needs)
      if (!need.optional && !names.has(need.name))
        missing.push(
          `'${job.name}' job needs '${need.name}' job, but '${need.name}' does not exist in the pipeline. This might be because of the only, except, or rules keywords. To need a job that sometimes does not exist in the pipeline, use needs:optional.`,
        );
  if (missing.length > 0) return missing.join('\n');
  for (const { job, scope } of planned) {
    const circle = findCircularReference(scope.referring(), scope.find);
    if (circle !== null) return `${job.name}: ${circle}`;
  }
  return null;
}

/** Those left are optional. */
function dropAbsentNeeds(jobs: readonly Job[]): void {
  const names = new Set(jobs.map(({ name }) => name));
  for (const job of jobs)
    if (job.needs.some(({ name }) => !names.has(name))) job.needs = job.needs.filter(({ name }) => names.has(name));
}
