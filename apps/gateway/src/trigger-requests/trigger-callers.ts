import { type PipelineTriggered, ShowActor, nothingHere, unauthorized } from '#libs/contracts';
import { type JobCredential, JobTokens } from '../access/job-tokens.js';
import { type ProjectAddress, ProjectAddresses } from '../access/project-addresses.js';
import type { Services } from '../services.js';
import type { TriggerCredential, TriggerTokens } from './trigger-tokens.js';

/** Whose pipeline it will be, and where. */
export type Caller = Pick<PipelineTriggered, 'projectId' | 'source' | 'actor' | 'trigger' | 'upstream'>;

/**
 * Finds out who calls the trigger endpoint: the token is the only credential (trigger-api.md §1.3 steps 5 and 6, §1.7). An unknown project,
 * an unknown or expired token and the token of another project are answered alike, so that nobody learns which it was.
 */
export class TriggerCallers {
  constructor(
    private readonly triggers: TriggerTokens,
    private readonly jobs: JobTokens,
    private readonly projects: ProjectAddresses,
    private readonly services: Services,
  ) {}

  /**
   * @param idOrPath the decoded `:id` of the URL
   * @throws Refusal 404, or 401 for a job's token that is no good any more
   */
  async find(idOrPath: string, token: string, now: Date): Promise<Caller> {
    const trigger = await this.triggers.find(token);
    // The usual call names the project by its number, which the token's row knows: one read decides.
    if (trigger && idOrPath === String(trigger.project_id)) return callerBehindTrigger(trigger, now);
    const project = await this.projects.find(idOrPath);
    if (!project || (trigger && trigger.project_id !== project.id)) throw nothingHere();
    if (trigger) return callerBehindTrigger(trigger, now);
    const job = await this.jobs.find(token);
    if (!job) throw nothingHere();
    return this.#callerBehindJob(job, project, now);
  }

  async #callerBehindJob(job: JobCredential, project: ProjectAddress, now: Date): Promise<Caller> {
    if (job.erased) throw unauthorized('Job has been erased!');
    if (job.status === 'orphaned') throw unauthorized('Project has been deleted!');
    if (job.status !== 'running' && job.status !== 'canceling') throw unauthorized('Job is not running');
    if (job.expires_at && job.expires_at <= now) throw unauthorized('Job token has expired');
    const actor = await this.services.ask(ShowActor, { userId: Number(job.user_id), projectId: project.id });
    if (!actor || (project.visibility === 'private' && actor.accessLevel === 0)) throw nothingHere();
    const upstream = {
      projectId: Number(job.project_id),
      pipelineId: Number(job.pipeline_id),
      jobId: Number(job.job_id),
    };
    return { projectId: project.id, source: 'pipeline', actor, trigger: null, upstream };
  }
}

function callerBehindTrigger(credential: TriggerCredential, now: Date): Caller {
  if (credential.expires_at && credential.expires_at <= now) throw nothingHere();
  return {
    projectId: credential.project_id,
    source: 'trigger',
    actor: {
      id: credential.owner_id,
      username: credential.owner_username,
      name: credential.owner_name,
      email: credential.owner_email,
      state: credential.owner_state,
      admin: credential.owner_admin,
      createdAt: credential.owner_created_at.toISOString(),
      accessLevel: credential.owner_access_level,
    },
    trigger: { id: credential.trigger_id, shortToken: credential.short_token },
    upstream: null,
  };
}
