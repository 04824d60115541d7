import { expandText } from '#libs/ci-config';
import type { OrderedVariable } from '../pipelines/pipeline-order.js';
import type { Server } from '../pipelines/predefined-variables.js';
import type { ProjectForCreation } from '../projects/project-reader.js';
import { type JobFacts, variableLayers } from '../runners/job-variables.js';

/**
 * The variables that a trigger job hands to the pipeline that it starts (ci-config.md §6.5): those that the file gives it, with what they refer to put
 * in, and, where it says so, those that were sent with its own pipeline, which win. Contents of file variables are not put in. Pure.
 *
 * @throws Error when values refer to each other in a circle
 */
export function downstreamVariables(job: JobFacts, project: ProjectForCreation, server: Server): OrderedVariable[] {
  const { definition, pipeline } = job;
  const { forward } = definition.trigger ?? { forward: { yamlVariables: true, pipelineVariables: false } };
  const known = new Map(
    variableLayers(job, project, server, []).map((variable) => [
      variable.key,
      variable.file ? { ...variable, value: `$${variable.key}`, raw: true } : variable,
    ]),
  );
  const expand = (text: string): string => {
    const expanded = expandText(text, (key) => known.get(key), 'remove');
    if (!expanded.ok) throw new Error(expanded.error);
    return expanded.text;
  };
  const down = new Map<string, OrderedVariable>();
  if (forward.yamlVariables)
    for (const { key, value, raw } of definition.variables)
      down.set(key, raw ? { key, value, type: 'env_var', raw } : { key, value: expand(value), type: 'env_var' });
  if (forward.pipelineVariables) for (const variable of pipeline.variables) down.set(variable.key, variable);
  return [...down.values()];
}
