import type { CiConfig } from '../ci-config.js';
import type { AutoCancel, Variable } from '../job.js';
import type { RuleCircumstances } from '../rules/rule-conditions.js';
import { lastOfEach } from './pipeline-variables.js';
import { findRule } from './plan-job.js';
import type { PlanningSurroundings } from './plan-job.js';

export interface WorkflowDecision {
  runs: boolean;
  /** Of the rule that matched. */
  variables: Variable[];
  autoCancel?: AutoCancel | undefined;
}

/** Step 10: whether `workflow:rules` let the pipeline run, and the variables of the rule that did (ci-config.md §2.5). */
export function decideWorkflow(
  config: CiConfig,
  { variables, patterns, paths }: Pick<PlanningSurroundings, 'variables' | 'patterns' | 'paths'>,
): WorkflowDecision | { error: string } {
  const { rules, autoCancel } = config.workflow;
  if (!rules) return { runs: true, variables: [], autoCancel };
  // No CI_JOB_* here, but CI_NODE_TOTAL is seen by rules of the workflow too.
  const { find, lookup } = variables.scope(lastOfEach(config.variables), () => [{ key: 'CI_NODE_TOTAL', value: '1' }]);
  const circumstances: RuleCircumstances = { lookup, find, patterns, paths };
  const rule = findRule(rules, circumstances);
  if (rule === null) return { runs: false, variables: [] };
  if ('error' in rule) return { error: `Failed to parse rule for workflow: ${rule.error}` };
  return {
    runs: rule.when !== 'never',
    variables: rule.variables ?? [],
    autoCancel: rule.autoCancel ? { ...autoCancel, ...rule.autoCancel } : autoCancel,
  };
}
