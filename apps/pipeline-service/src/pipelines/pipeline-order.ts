import type { ResolvedRef } from '../repositories/repositories.js';
import type { Actor, PipelineSource, TriggerChannel, VariableType } from '#libs/contracts';

export interface OrderedVariable {
  key: string;
  value: string;
  type: VariableType;
  /** Whether dollar signs in the value stand for themselves. */
  raw?: boolean;
}

/** The wish for a pipeline, whoever it comes from: a trigger request, `POST /projects/:id/pipeline` or a trigger job. */
export interface PipelineOrder {
  /** At most one pipeline is created for it, however often it is delivered. */
  requestId: string;
  projectId: number;
  /** As given. */
  ref: string;
  source: Extract<PipelineSource, 'trigger' | 'pipeline' | 'api' | 'parent_pipeline'>;
  channel: TriggerChannel | null;
  trigger: { id: number; shortToken: string } | null;
  upstream: { projectId: number; pipelineId: number; jobId: number } | null;
  /** The pipeline is created as this user, with the rights that were read when the request was accepted. */
  actor: Actor;
  /** In the order in which they are stored and shown. */
  variables: OrderedVariable[];
  /** For the configuration's `spec:inputs`, by name. */
  inputs?: Record<string, unknown>;
  receivedAt: string;
  /** For a child pipeline: the commit of its parent, and the configuration that its trigger job has written. */
  child?: { resolved: ResolvedRef; config: string };
}

/** GitLab leaves a failed pipeline behind for a trigger, and never for `POST /projects/:id/pipeline` (trigger-api.md §4.1). */
export function keepsFailedPipeline({ source }: PipelineOrder): boolean {
  return source !== 'api';
}
