import { AccessLevel, type Actor } from '#libs/contracts';

/** Nobody who said who they are. */
export interface AnonymousViewer {
  kind: 'anonymous';
  level: 0;
}

/** Somebody with an access token, or with a session that one began. */
export interface UserViewer {
  kind: 'user';
  id: number;
  username: string;
  name: string;
  email: string | null;
  admin: boolean;
  createdAt: Date;
  tokenId: number;
  /** Signed in at the pages with that token, rather than sending it. */
  sessionId?: number;
  scopes: readonly string[];
  /** Access levels by project. */
  memberships: Readonly<Record<string, number>>;
  /** On the project of the request; Owner for administrators, 0 for none and where the request has no project. */
  level: number;
}

/** A running CI job, by its token. */
export interface JobViewer {
  kind: 'job';
  jobId: number;
  projectId: number;
  pipelineId: number;
  userId: number;
  /** A job may read in its own project what a Reporter may. */
  level: number;
}

export type Viewer = AnonymousViewer | UserViewer | JobViewer;

export const anonymous: AnonymousViewer = { kind: 'anonymous', level: 0 };

/** The viewer as seen from one project. */
export function onProject(viewer: Viewer, projectId: number): Viewer {
  if (viewer.kind === 'anonymous') return viewer;
  if (viewer.kind === 'job')
    return { ...viewer, level: viewer.projectId === projectId ? AccessLevel.Reporter : AccessLevel.None };
  return { ...viewer, level: viewer.admin ? AccessLevel.Owner : (viewer.memberships[projectId] ?? AccessLevel.None) };
}

/**
 * The signed-in user of a request, for handlers whose need let nobody else in.
 * @throws Error when the viewer is nobody or a job
 */
export function signedIn(viewer: Viewer): UserViewer {
  if (viewer.kind !== 'user') throw new Error(`A user was expected here, not ${viewer.kind}`);
  return viewer;
}

/** Who asks, as the services are told. */
export function actorOf({ id, username, name, email, admin, createdAt, level }: UserViewer): Actor {
  return {
    id,
    username,
    name,
    email,
    state: 'active',
    admin,
    createdAt: createdAt.toISOString(),
    accessLevel: level,
  };
}
