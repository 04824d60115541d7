import { type ShallowRef, shallowRef, watch } from 'vue';
import { api, ApiError, get } from '../api/http.js';
import type { PipelineVariable } from '../api/types.js';
import { useProject } from '../layout/project-context.js';
import { type Action, useAction } from '../ui/use-action.js';

/**
 * The variables of a pipeline, which are asked for when somebody wants to see them.
 * @param page what is looked at; with another one they are hidden again
 */
export function useVariables(page: () => number): {
  variables: ShallowRef<PipelineVariable[] | null>;
  reveal: Action<[pipelineId: number]>;
} {
  const { project } = useProject();
  const variables = shallowRef<PipelineVariable[] | null>(null);
  watch(page, () => (variables.value = null));
  const reveal = useAction(async (pipelineId: number) => {
    try {
      variables.value = await get(api(`projects/${project.value.id}/pipelines/${pipelineId}/variables`));
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 403)) throw error;
      throw new Error('Only the user for whom this pipeline runs, and Maintainers, may see its variables.', {
        cause: error,
      });
    }
  });
  return { variables, reveal };
}
