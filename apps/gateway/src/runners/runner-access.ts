import { AccessLevel } from '#libs/contracts';
import { actorOf, signedIn, type UserViewer, type Viewer } from '../access/viewer.js';

/** A runner as somebody names it who wants to manage it; whether they may, the pipeline service sees. */
export function managed(viewer: Viewer, runnerId: number) {
  const user = signedIn(viewer);
  return { runnerId, actor: actorOf(user), maintained: maintained(user) };
}

/** The projects whose runners somebody manages. */
export function maintained(user: UserViewer): number[] {
  return memberOf(user, AccessLevel.Maintainer);
}

/** The projects in which somebody has at least that level. */
export function memberOf({ memberships }: UserViewer, least: number): number[] {
  return Object.entries(memberships).flatMap(([id, level]) => (level >= least ? [Number(id)] : []));
}

/** What is wrong with a runner that may take no job. */
export const nothingToTake = { tags_list: ['can not be empty when runner is not allowed to pick untagged jobs'] };
