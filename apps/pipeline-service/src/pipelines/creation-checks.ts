import { AccessLevel, type Status } from '#libs/contracts';
import type { OrderedVariable, PipelineOrder } from './pipeline-order.js';

/**
 * Why no pipeline is created, in GitLab's words. `failed` says that a pipeline is stored all the same, as failed, so that its cause can be
 * looked up later (trigger-api.md §1.6).
 */
export interface CreationRefusal {
  status: 400 | 404 | 422;
  message: string;
  failed?: { status: Extract<Status, 'failed'>; failureReason: string; yamlErrors: string | null };
}

/** What the checks look at; the whole project is known to the caller. */
export interface CheckedProject {
  state: 'creating' | 'active' | 'deleting';
  archived: boolean;
  buildsAccessLevel: string;
  variablesMinimumRole: string;
}

const refuse = (message: string): CreationRefusal => ({ status: 400, message });

/** Checks 1 to 3 of trigger-api.md §1.6, which come before the ref is looked at, so that who may not never learns what exists. */
export function checkProjectAndActor(project: CheckedProject, { actor }: PipelineOrder): CreationRefusal | null {
  if (project.state !== 'active') return refuse('Project is deleted!');
  if (project.buildsAccessLevel === 'disabled') return refuse('Pipelines are disabled!');
  if (actor.accessLevel < AccessLevel.Developer || actor.state !== 'active' || project.archived)
    return refuse('Insufficient permissions to create a new pipeline');
  return null;
}

/** How the refusal of check 4 begins. */
export const protectedRefText = 'You do not have sufficient permission to run a pipeline on';

/** Check 4: a protected branch wants who may push to it, a protected tag who may create it. */
export function checkProtectedRef(ref: string, allowed: boolean): CreationRefusal | null {
  return allowed
    ? null
    : refuse(
        `${protectedRefText} '${ref}'. ` +
          'Please select a different branch or contact your administrator for assistance. Learn more',
      );
}

const minimumLevels: Record<string, number> = {
  no_one_allowed: Infinity,
  developer: AccessLevel.Developer,
  maintainer: AccessLevel.Maintainer,
  owner: AccessLevel.Owner,
};

/** GitLab's rule for names of variables (trigger-api.md §1.4). */
const variableName = /^\w{1,255}$/;

/** Checks 8 and 9. */
export function checkVariables(
  project: CheckedProject,
  { actor, variables, child }: PipelineOrder,
): CreationRefusal | null {
  if (
    variables.length > 0 &&
    // Those of a child come from the file itself, and from a call that was checked.
    !child &&
    actor.accessLevel < (minimumLevels[project.variablesMinimumRole] ?? AccessLevel.Developer)
  )
    return refuse('Insufficient permissions to set pipeline variables');
  const repeated = repeatedKeys(variables);
  if (repeated.length > 0) {
    const message = `Duplicate variable name${repeated.length > 1 ? 's' : ''}: ${repeated.join(', ')}`;
    return { status: 422, message, failed: { status: 'failed', failureReason: 'config_error', yamlErrors: message } };
  }
  return null;
}

/** Check 18, the last one: what cannot be saved is only found out when it is to be saved. */
export function checkVariableNames({ variables }: PipelineOrder): CreationRefusal | null {
  return variables.every(({ key }) => variableName.test(key)) ? null : refuse('Failed to build the pipeline!');
}

function repeatedKeys(variables: OrderedVariable[]): string[] {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { key } of variables) (seen.has(key) ? repeated : seen).add(key);
  return [...repeated];
}
