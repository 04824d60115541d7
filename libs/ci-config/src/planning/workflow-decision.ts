import type { CiConfig } from '../ci-config.js';
import type { Variable } from '../job.js';
import type { PipelineContext } from '../plan.js';
import { ruleApplies } from '../rules/rule-conditions.js';
import type { PipelineVariables } from './pipeline-variables.js';

/** Step 10: whether `workflow:rules` let the pipeline run, and the variables of the rule that did (ci-config.md §2.5). */
export function decideWorkflow(
  config: CiConfig,
  context: PipelineContext,
  variables: PipelineVariables,
): { runs: boolean; variables: Variable[] } | { error: string } {
  const { rules } = config.workflow;
  if (!rules) return { runs: true, variables: [] };
  // No CI_JOB_* here, but CI_NODE_TOTAL is seen by rules of the workflow too.
  const scope = variables.scope(config.variables, () => [{ key: 'CI_NODE_TOTAL', value: '1' }]);
  const circumstances = {
    lookup: scope.lookup,
    variables: scope.all,
    changedFiles: context.changedFiles,
    changedSince: context.changedSince,
    listFiles: context.listFiles,
  };
  for (const rule of rules) {
    const applies = ruleApplies(rule, circumstances);
    if (typeof applies === 'object') return { error: `Failed to parse rule for workflow: ${applies.error}` };
    if (applies) return { runs: rule.when !== 'never', variables: rule.variables ?? [] };
  }
  return { runs: false, variables: [] };
}
