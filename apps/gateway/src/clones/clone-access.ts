import { Injectable } from '@nestjs/common';
import { Refusal } from '#libs/contracts';
import { refusalFor } from '../access/access.policy.js';
import { AccessTokens, userBehind } from '../access/access-tokens.js';
import { isLive, JobTokens } from '../access/job-tokens.js';
import { type ProjectAddress, ProjectAddresses } from '../access/project-addresses.js';
import { anonymous, onProject } from '../access/viewer.js';

/** What may be cloned. */
export interface CloneGrant {
  project: ProjectAddress;
  /** Of the job that clones; null for a person, who gets the repository as it is now. */
  pipelineId: number | null;
}

/**
 * Who may clone: a running job its own project, whoever may read the repository by an access token, anybody a public one. git sends either kind of
 * token as a password, the user does not count (runner-api.md §6.4).
 */
@Injectable()
export class CloneAccess {
  constructor(
    private readonly projects: ProjectAddresses,
    private readonly jobs: JobTokens,
    private readonly tokens: AccessTokens,
  ) {}

  /**
   * @param path the project's, present or former
   * @throws Refusal 401 that asks for credentials, also where there is nothing to be seen without them; 403, 404
   */
  async grant(path: string, authorization: string | undefined, now: Date): Promise<CloneGrant> {
    const token = passwordOf(authorization);
    const project = await this.projects.find(path);
    if (token === undefined) {
      if (!project || refusalFor('read-repository', anonymous, project)) throw challenge();
      return { project, pipelineId: null };
    }
    const job = await this.jobs.find(token);
    if (job) {
      if (!isLive(job, now)) throw challenge();
      if (!project || Number(job.project_id) !== project.id)
        throw new Refusal(403, { message: 'The token of a job opens the repository of its own project only' });
      return { project, pipelineId: Number(job.pipeline_id) };
    }
    const found = await this.tokens.find(token);
    if (!found) throw challenge();
    const viewer = userBehind(found, now, true, ['read_repository']);
    const refused = refusalFor('read-repository', project ? onProject(viewer, project.id) : viewer, project);
    if (refused) throw refused;
    return { project: project as ProjectAddress, pipelineId: null };
  }
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
