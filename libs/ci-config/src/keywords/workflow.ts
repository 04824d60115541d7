import type { Variable } from '../job.js';
import { readRuleConditions, rulePlaces } from '../rules/read-rule-conditions.js';
import type { RuleConditions } from '../rules/rule-conditions.js';
import { YamlMap } from '../yaml/values.js';
import type { Place } from './place.js';
import { readText } from './texts.js';
import { readVariables } from './variables.js';

export interface WorkflowRule extends RuleConditions {
  variables?: Variable[];
}

export interface Workflow {
  rules?: WorkflowRule[];
  name?: string;
}

const longestName = 255;
const neverInWorkflow = ['start_in', 'allow_failure', 'needs'];

/** `workflow`: whether there is a pipeline at all, and its name (ci-config.md §2.5). */
export function readWorkflow(place: Place): Workflow {
  if (!(place.value instanceof YamlMap)) {
    place.problem('config should be a hash');
    return {};
  }
  place.checkKeys(['rules', 'name', 'auto_cancel']);
  if (place.has('auto_cancel') && !(place.get('auto_cancel') instanceof YamlMap))
    place.child('auto_cancel').problem('config should be a hash');
  const workflow: Workflow = {};
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
  return rule;
}
