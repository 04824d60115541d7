import type { AutoCancel, Variable } from '../job.js';
import { readRuleConditions, rulePlaces } from '../rules/read-rule-conditions.js';
import type { RuleConditions } from '../rules/rule-conditions.js';
import { YamlMap } from '../yaml/values.js';
import type { Place } from './place.js';
import { readText } from './texts.js';
import { readVariables } from './variables.js';

export interface WorkflowRule extends RuleConditions {
  variables?: Variable[];
  autoCancel?: AutoCancel;
}

export interface Workflow {
  rules?: WorkflowRule[];
  name?: string;
  autoCancel?: AutoCancel;
}

const keys = new Set(['rules', 'name', 'auto_cancel']);
const autoCancelKeys = new Set(['on_new_commit', 'on_job_failure']);
const onNewCommit = ['conservative', 'interruptible', 'none'] as const;
const onJobFailure = ['none', 'all'] as const;
const longestName = 255;
const neverInWorkflow = ['start_in', 'allow_failure', 'needs'];

/** `workflow`: whether there is a pipeline at all, its name, and what cancels it (ci-config.md §2.5, §6.5). */
export function readWorkflow(place: Place): Workflow {
  if (!(place.value instanceof YamlMap)) {
    place.problem('config should be a hash');
    return {};
  }
  place.checkKeys(keys);
  const workflow: Workflow = {};
  if (place.has('auto_cancel')) workflow.autoCancel = readAutoCancel(place.child('auto_cancel'));
  const name = readText(place, 'name');
  if (name !== undefined) {
    if (name.length > longestName) place.problem(`name is too long (maximum is ${longestName} characters)`, 'name');
    workflow.name = name;
  }
  if (place.has('rules')) workflow.rules = rulePlaces(place).map(readWorkflowRule);
  return workflow;
}

function readWorkflowRule(place: Place): WorkflowRule {
  const rule: WorkflowRule = readRuleConditions(place, 'workflow');
  const disallowed = neverInWorkflow.filter((key) => place.has(key));
  if (disallowed.length > 0) place.problem(`config contains disallowed keys: ${disallowed.join(', ')}`, disallowed[0]);
  if (place.has('variables')) rule.variables = readVariables(place.child('variables'), 'rule');
  if (place.has('auto_cancel')) rule.autoCancel = readAutoCancel(place.child('auto_cancel'));
  return rule;
}

function readAutoCancel(place: Place): AutoCancel {
  if (!(place.value instanceof YamlMap)) place.problem('config should be a hash');
  place.checkKeys(autoCancelKeys);
  const autoCancel: AutoCancel = {};
  const byCommit = readText(place, 'on_new_commit');
  const knownByCommit = onNewCommit.find((word) => word === byCommit);
  if (knownByCommit) autoCancel.onNewCommit = knownByCommit;
  else if (byCommit !== undefined)
    place.problem(`on new commit must be one of: ${onNewCommit.join(', ')}`, 'on_new_commit');
  const byFailure = readText(place, 'on_job_failure');
  const knownByFailure = onJobFailure.find((word) => word === byFailure);
  if (knownByFailure) autoCancel.onJobFailure = knownByFailure;
  else if (byFailure !== undefined)
    place.problem(`on job failure must be one of: ${onJobFailure.join(', ')}`, 'on_job_failure');
  return autoCancel;
}
