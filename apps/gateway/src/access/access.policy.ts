import { AccessLevel, forbidden, projectNotFound, type Refusal, unauthorized, type Visibility } from '#libs/contracts';
import type { Viewer } from './viewer.js';

/** The facts about a project that decide who may do what in it. */
export interface ProjectFacts {
  visibility: Visibility;
  publicJobs: boolean;
  buildsAccessLevel: 'disabled' | 'private' | 'enabled';
  archived: boolean;
}

interface Rule {
  /** The least level of a member who may. */
  level: number;
  /** The level from which one may for things that others started; `level` then holds for one's own alone. */
  othersLevel?: number;
  /** Who else may: everybody who can see the project, the same unless it is private, or the same while its jobs are public. */
  open?: 'readers' | 'readers unless private' | 'readers of public jobs';
  /** What somebody without credentials gets: 401 whatever the project is, or what the project's visibility says (trigger-api.md §3.2). */
  anonymous: 'unauthorized' | 'as any reader';
  /** Part of CI/CD: not there for anybody when the project has that switched off. */
  ci?: true;
  /** Writes what an archived project no longer changes. */
  writes?: true;
}

const { Guest, Reporter, Developer, Maintainer, Owner } = AccessLevel;
const job = { ci: true, anonymous: 'unauthorized' } as const;

/** Role × action: trigger-api.md §3.2 and §3.3 as one table. */
const rules = {
  'read-project': { level: Guest, open: 'readers', anonymous: 'as any reader' },
  'read-repository': { level: Reporter, open: 'readers unless private', anonymous: 'as any reader' },
  'edit-project': { level: Maintainer, anonymous: 'unauthorized' },
  'delete-project': { level: Owner, anonymous: 'unauthorized' },
  'read-members': { level: Guest, open: 'readers', anonymous: 'as any reader' },
  'manage-members': { level: Maintainer, anonymous: 'unauthorized' },
  'manage-variables': { level: Maintainer, anonymous: 'unauthorized' },
  'manage-protected-refs': { level: Maintainer, anonymous: 'unauthorized' },
  'manage-runners': { level: Maintainer, anonymous: 'unauthorized' },
  'lint-configuration': { level: Developer, anonymous: 'unauthorized' },
  'read-pipelines': { level: Reporter, open: 'readers of public jobs', anonymous: 'as any reader', ci: true },
  'read-jobs': { ...job, level: Reporter, open: 'readers of public jobs' },
  /** A log that shows every variable (runner-api.md §4.1). */
  'read-debug-traces': { ...job, level: Developer },
  'read-pipeline-variables': { level: Developer, othersLevel: Maintainer, anonymous: 'as any reader', ci: true },
  'create-pipeline': { ...job, level: Developer, writes: true },
  'update-pipeline': { ...job, level: Developer, writes: true },
  'delete-pipeline': { ...job, level: Owner, writes: true },
  'update-job': { ...job, level: Developer, writes: true },
  'erase-job': { ...job, level: Developer, othersLevel: Maintainer, writes: true },
  'manage-triggers': { ...job, level: Maintainer, writes: true },
  /** The trigger is looked up before its rights are checked, so a Developer learns 404 from 403 (trigger-api.md §2.2). */
  'update-trigger': { level: Guest, open: 'readers', anonymous: 'unauthorized' },
} as const satisfies Record<string, Rule>;

export type ProjectAction = keyof typeof rules;
export const projectActions = Object.keys(rules) as ProjectAction[];

export function isProjectAction(need: string): need is ProjectAction {
  return Object.hasOwn(rules, need);
}

/** True where nobody without credentials gets anywhere, not even to hear that there is no such project. */
export function needsCredentials(action: ProjectAction): boolean {
  return rules[action].anonymous === 'unauthorized';
}

/** Whether a viewer may know that the project exists. */
export function mayRead(viewer: Viewer, project: ProjectFacts): boolean {
  if (viewer.level > AccessLevel.None || project.visibility === 'public') return true;
  return project.visibility === 'internal' && viewer.kind === 'user';
}

/**
 * Decides on an action.
 *
 * @param viewer with the level on this project
 * @param project undefined when there is none
 * @param ownerId for what somebody started (a pipeline, a job): that user; left out where the thing is not known yet, so that those pass
 *   who might be allowed for a thing of their own
 * @returns undefined: go on; otherwise GitLab's refusal
 */
export function refusalFor(
  action: ProjectAction,
  viewer: Viewer,
  project: ProjectFacts | undefined,
  ownerId?: number | null,
): Refusal | undefined {
  const rule: Rule = rules[action];
  if (viewer.kind === 'anonymous' && rule.anonymous === 'unauthorized') return unauthorized();
  if (!project || !mayRead(viewer, project)) return projectNotFound();
  if (rule.ci && !seesJobs(viewer, project)) return forbidden();
  if (rule.writes && project.archived) return forbidden();
  if (viewer.level >= (ownerId === undefined ? rule.level : levelFor(rule, viewer, ownerId))) return undefined;
  return isOpen(rule, project) ? undefined : forbidden();
}

function levelFor(rule: Rule, viewer: Viewer, ownerId: number | null): number {
  const own = viewer.kind === 'user' && viewer.id === ownerId;
  return own ? rule.level : (rule.othersLevel ?? rule.level);
}

/** CI/CD can be switched off, or be for members only even where the project itself is not. */
function seesJobs(viewer: Viewer, project: ProjectFacts): boolean {
  if (project.buildsAccessLevel === 'disabled') return false;
  return project.buildsAccessLevel === 'enabled' || viewer.level > AccessLevel.None;
}

function isOpen(rule: Rule, project: ProjectFacts): boolean {
  switch (rule.open) {
    case 'readers':
      return true;
    case 'readers unless private':
      return project.visibility !== 'private';
    case 'readers of public jobs':
      return project.publicJobs;
    case undefined:
      return false;
  }
}
