import type { CiConfig, ConfiguredJob, ExpandedRule } from '../ci-config.js';
import type { Patterns } from '../expressions/pattern.js';
import type { PathMatcher } from '../paths/path-matcher.js';
import type { Job, Variable } from '../job.js';
import type { AllowFailure } from '../keywords/allow-failure.js';
import type { PipelineContext } from '../plan.js';
import { ruleApplies, type RuleCircumstances, type RuleConditions } from '../rules/rule-conditions.js';
import { expandOnce, expandText } from '../variables/expand-variables.js';
import {
  jobPredefinedVariables,
  lastOfEach,
  type PipelineVariables,
  type VariableScope,
} from './pipeline-variables.js';
import { refusedByRefPolicy } from './ref-policies.js';

/** In the pipeline, left out and why, or an error that ends planning. */
export type PlannedJob =
  { job: Job; needsCount: number; scope: VariableScope } | { leftOutBy: string } | { error: string };

/** What is the same for all jobs of a pipeline. */
export interface PlanningSurroundings {
  config: CiConfig;
  context: PipelineContext;
  variables: PipelineVariables;
  patterns: Patterns;
  paths: PathMatcher;
  /** Of the file and of the workflow rule. */
  globals: readonly Variable[];
}

const defaultRefs = [{ name: 'branches' }, { name: 'tags' }];

/** Step 11 of ci-config.md §0: a job's variables, whether it is in, and what the matching rule changes in it. */
export function planJob(configured: ConfiguredJob, surroundings: PlanningSurroundings): PlannedJob {
  const { config, context, variables, patterns, paths } = surroundings;
  const fromFile = lastOfEach(
    inherited(configured, surroundings.globals),
    configured.variables,
    configured.matrixVariables ?? [],
  );
  const predefined = () => jobPredefinedVariables(configured);
  const scope = variables.scope(fromFile, predefined);
  const circumstances: RuleCircumstances = { lookup: scope.lookup, find: scope.find, patterns, paths };
  if (!configured.rules) {
    const hasDefault = configured.rules === undefined && !config.workflow.rules;
    const only = hasDefault ? { refs: defaultRefs, ...configured.only } : configured.only;
    const refused = refusedByRefPolicy(only, configured.except, context, circumstances);
    return refused === null ? build(configured, undefined, fromFile, scope) : { leftOutBy: refused };
  }
  const rule = findRule(configured.rules, circumstances);
  if (rule && 'error' in rule) return { error: `Failed to parse rule for ${configured.name}: ${rule.error}` };
  if (!rule) return { leftOutBy: 'rules: none matched' };
  if (rule.when === 'never') return { leftOutBy: `rules: ${rule.text}` };
  if (!rule.variables) return build(configured, rule, fromFile, scope);
  const withRule = lastOfEach(fromFile.values(), rule.variables);
  return build(configured, rule, withRule, variables.scope(withRule, predefined));
}

function inherited({ inheritsVariable }: ConfiguredJob, globals: readonly Variable[]): readonly Variable[] {
  return globals.every(({ key }) => inheritsVariable(key))
    ? globals
    : globals.filter(({ key }) => inheritsVariable(key));
}

/** The first rule that matches, null when none does, or why that cannot be told. */
export function findRule<Rule extends RuleConditions>(
  rules: readonly Rule[],
  circumstances: RuleCircumstances,
): Rule | { error: string } | null {
  for (const rule of rules) {
    const applies = ruleApplies(rule, circumstances);
    if (typeof applies === 'object') return applies;
    if (applies) return rule;
  }
  return null;
}

function build(
  configured: ConfiguredJob,
  rule: ExpandedRule | undefined,
  fromFile: ReadonlyMap<string, Variable>,
  scope: VariableScope,
): PlannedJob {
  const when = rule?.when === undefined ? (configured.when ?? 'on_success') : (rule.when as Job['when']);
  const allowFailure: AllowFailure = rule?.allowFailure ??
    configured.allowFailure ?? { always: configured.when === 'manual' };
  const ruleNeeds = rule?.needs?.list.length ? rule.needs : undefined;
  const needs = ruleNeeds ?? configured.needs;
  const job: Job = {
    name: configured.name,
    stage: configured.stage,
    stageIdx: configured.stageIdx,
    when,
    allowFailure: allowFailure.always,
    scheduling: needs ? 'dag' : 'stage',
    needs: needs?.list ?? [],
    variables: [...fromFile.values()],
    tags: [],
    options: configured.options,
  };
  const startIn = rule?.startIn ?? configured.startIn;
  if (when === 'delayed' && startIn !== undefined) job.startIn = startIn;
  if (allowFailure.exitCodes) job.allowFailureExitCodes = allowFailure.exitCodes;
  if (configured.dependencies) job.dependencies = configured.dependencies;
  const interruptible = rule?.interruptible ?? configured.interruptible;
  if (interruptible !== undefined) job.interruptible = interruptible;
  if (configured.retry) job.retry = configured.retry;
  if (configured.timeout !== undefined) job.timeout = configured.timeout;
  if (configured.parallel) job.parallel = configured.parallel;
  if (configured.pipelineNeeds) job.pipelineNeeds = configured.pipelineNeeds;
  const error = expandKeywords(job, configured, scope);
  if (error !== null) return { error: `${job.name}: ${error}` };
  return { job, needsCount: needs?.count ?? 0, scope };
}

/** The keywords whose variables are replaced at creation (ci-config.md §4.3); gives the error, if any. */
function expandKeywords(job: Job, configured: ConfiguredJob, scope: VariableScope): string | null {
  let fault: string | null = null;
  const expand = (text: string): string => {
    const expanded = expandText(text, scope.find, 'remove');
    if (expanded.ok) return expanded.text;
    fault ??= expanded.error;
    return '';
  };
  for (const tag of configured.tags) {
    const expanded = expandOnce(tag, scope.lookup, 'keep');
    if (!expanded.ok) return expanded.error;
    job.tags.push(expanded.text);
  }
  const { environment, resourceGroup, trigger, mirrors } = configured;
  if (environment) job.environment = { ...environment, name: expand(environment.name) };
  if (resourceGroup !== undefined) job.resourceGroup = expand(resourceGroup);
  if (mirrors !== undefined) job.mirrors = expand(mirrors);
  if (trigger)
    job.trigger = { ...trigger, to: 'project' in trigger.to ? expandTarget(trigger.to, expand) : trigger.to };
  return fault;
}

function expandTarget(to: { project: string; branch?: string }, expand: (text: string) => string): typeof to {
  const project = expand(to.project);
  return to.branch === undefined ? { project } : { project, branch: expand(to.branch) };
}
