import { api, post } from '../api/http.js';

/** @throws ApiError */
export function cancelPipeline(projectId: number, pipelineId: number): Promise<void> {
  return post(api(`projects/${projectId}/pipelines/${pipelineId}/cancel`));
}

/** Runs what failed or was canceled once more. @throws ApiError */
export function retryPipeline(projectId: number, pipelineId: number): Promise<void> {
  return post(api(`projects/${projectId}/pipelines/${pipelineId}/retry`));
}

/** @throws ApiError */
export function jobAction(
  projectId: number,
  jobId: number,
  action: 'play' | 'retry' | 'cancel' | 'erase',
): Promise<{ id: number }> {
  return post(api(`projects/${projectId}/jobs/${jobId}/${action}`));
}
