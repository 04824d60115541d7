import { Injectable } from '@nestjs/common';
import { type Actor, Refusal, ShowActor } from '#libs/contracts';
import { refusalFor } from '../access/access.policy.js';
import { AccessTokens, userBehind } from '../access/access-tokens.js';
import { isHandedOut, isLive, type JobCredential, JobTokens } from '../access/job-tokens.js';
import { type ProjectAddress, ProjectAddresses } from '../access/project-addresses.js';
import { anonymous, onProject, type UserViewer } from '../access/viewer.js';
import { Services } from '../services.js';

/** What may be cloned. */
export interface CloneGrant {
  project: ProjectAddress;
  /** Of the job that clones; null for a person, who gets the repository as it is now. */
  pipelineId: number | null;
}

/**
 * Who may clone: a job its own project, from when a runner has it to its end, and, while it runs, for its submodules what the user may read whose job it
 * is; whoever may read the repository by an access token; anybody a public one. git sends either kind of token as a password, the user does not count
 * (runner-api.md §6.4).
 */
@Injectable()
export class CloneAccess {
  constructor(
    private readonly projects: ProjectAddresses,
    private readonly jobs: JobTokens,
    private readonly tokens: AccessTokens,
    private readonly services: Services,
  ) {}

  /**
   * @param path the project's, present or former
   * @throws Refusal 401 that asks for credentials, also where there is nothing to be seen without them; 403, 404
   */
  async grant(path: string, authorization: string | undefined, now: Date): Promise<CloneGrant> {
    const token = passwordOf(authorization);
    const [project, job] = await Promise.all([this.projects.find(path), token && this.jobs.find(token)]);
    if (token === undefined) {
      if (!project || refusalFor('read-repository', anonymous, project)) throw challenge();
      return { project, pipelineId: null };
    }
    if (job) {
      const own = project && Number(job.project_id) === project.id;
      // A runner that has the job may clone while it says so: that is the longest part of getting ready (ADR 37).
      if (!isLive(job, now) && !(own && isHandedOut(job))) throw challenge();
      if (own) return { project, pipelineId: Number(job.pipeline_id) };
      return { project: await this.#readableByOwner(job, project), pipelineId: null };
    }
    const found = await this.tokens.find(token);
    if (!found) throw challenge();
    const viewer = userBehind(found, now, true, ['read_repository']);
    const refused = refusalFor('read-repository', project ? onProject(viewer, project.id) : viewer, project);
    if (refused) throw refused;
    return { project: project as ProjectAddress, pipelineId: null };
  }

  /** Another project than the job's. What is not there and what may not be read are refused alike. */
  async #readableByOwner(job: JobCredential, project: ProjectAddress | undefined): Promise<ProjectAddress> {
    if (project) {
      const owner = await this.services.ask(ShowActor, { userId: Number(job.user_id), projectId: project.id });
      const viewer = owner && owner.state === 'active' && userOf(owner);
      if (viewer && !refusalFor('read-repository', viewer, project)) return project;
    }
    throw new Refusal(403, {
      message: 'The token of a job opens the repository of its project, and those that its user may read',
    });
  }
}

/** As seen from the project that the user's level is of. */
function userOf({ id, username, name, email = null, admin, createdAt, accessLevel: level }: Actor): UserViewer {
  const presented = { tokenId: 0, scopes: [], memberships: {} };
  return { kind: 'user', id, username, name, email, admin, createdAt: new Date(createdAt), level, ...presented };
}

function passwordOf(authorization: string | undefined): string | undefined {
  const encoded = /^basic +(\S+) *$/i.exec(authorization ?? '')?.[1];
  if (!encoded) return undefined;
  const decoded = Buffer.from(encoded, 'base64').toString();
  return decoded.slice(decoded.indexOf(':') + 1) || undefined;
}

/** git asks for credentials, or offers the ones it has, only after this. */
function challenge(): Refusal {
  return new Refusal(
    401,
    { message: 'Access denied: give a token as the password' },
    { 'WWW-Authenticate': 'Basic realm="Flagfall"' },
  );
}
