import type { Actor } from '#libs/contracts';
import { refusalFor } from '../access/access.policy.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';

/** The viewer, for the pipeline service to say what can be done; null where that is nothing anyway. */
export function orderingActor(viewer: Viewer, project: ProjectAddress): Actor | null {
  return refusalFor('update-pipeline', viewer, project) ? null : actorOf(signedIn(viewer));
}
