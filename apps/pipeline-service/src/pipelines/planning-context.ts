import type { PipelineContext } from '#libs/ci-config';
import type { Actor, PipelineSource } from '#libs/contracts';
import type { ProjectForCreation } from '../projects/project-reader.js';
import type { ResolvedRef } from '../repositories/repositories.js';
import type { OrderedVariable } from './pipeline-order.js';
import {
  pipelineVariables,
  projectVariables,
  type Server,
  serverVariables,
  userVariables,
} from './predefined-variables.js';
import { projectIdentity, settingsVariables } from './project-variables.js';

/** The circumstances of a pipeline that its caller decides. */
export interface Circumstances {
  source: PipelineSource;
  trigger: { shortToken: string } | null;
  actor: Actor;
  variables: OrderedVariable[];
  receivedAt: string;
}

/** Everything that rules may look at while a pipeline is planned, in the layers of ci-config.md §4.1. Pure. */
export function planningContext(
  server: Server,
  project: ProjectForCreation,
  resolved: ResolvedRef,
  protectedRef: boolean,
  { source, trigger, actor, variables, receivedAt }: Circumstances,
): PipelineContext {
  return {
    ref: resolved.ref,
    refType: resolved.type,
    source,
    projectPath: project.path,
    trigger: trigger ? { shortToken: trigger.shortToken } : undefined,
    predefined: [
      ...serverVariables(server),
      ...projectVariables(projectIdentity(project), server),
      ...pipelineVariables({
        iid: null,
        source,
        ref: resolved.ref,
        tag: resolved.type === 'tag',
        tagMessage: resolved.tagMessage ?? null,
        protected: protectedRef,
        commit: resolved.commit,
        createdAt: receivedAt,
      }),
    ],
    userVariables: userVariables(actor),
    projectVariables: settingsVariables(project, protectedRef),
    // The payload may hold anything; what looks like a variable in it is none.
    pipelineVariables: variables.map(({ key, value, type, raw = false }) =>
      type === 'file' ? { key, value, file: true, raw: true } : { key, value, raw },
    ),
    listFiles: () => [],
    changedFiles: null,
  };
}
