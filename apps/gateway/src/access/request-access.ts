import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { forbidden, movedProject, projectNotFound, Refusal, thingNotFound, unauthorized } from '#libs/contracts';
import { GatewayConfig } from '../config.js';
import { requestParameters } from '../http/request-parameters.js';
import { isSameOrigin } from '../sessions/same-origin.js';
import { readSessionCookie } from '../sessions/session-cookie.js';
import { Sessions } from '../sessions/sessions.js';
import { isProjectAction, mayRead, needsCredentials, type ProjectAction, refusalFor } from './access.policy.js';
import { AccessTokens, userBehind } from './access-tokens.js';
import { findCredentials } from './credentials.js';
import { isLive, JobTokens } from './job-tokens.js';
import type { Access, DeclaredNeed } from './needs.decorator.js';
import { type ProjectAddress, ProjectAddresses } from './project-addresses.js';
import { anonymous, onProject, type Viewer } from './viewer.js';

/** Finds out who asks, and whether they may. Never cached, so that whoever asks again hears what holds now. */
@Injectable()
export class RequestAccess {
  constructor(
    private readonly accessTokens: AccessTokens,
    private readonly jobTokens: JobTokens,
    private readonly projects: ProjectAddresses,
    private readonly sessions: Sessions,
    private readonly config: GatewayConfig,
  ) {}

  /**
   * In GitLab's order (trigger-api.md §3.2): bad credentials, missing credentials, no such project, too low a level.
   * @throws Refusal when the need is not met
   */
  async of(request: FastifyRequest, declared: DeclaredNeed): Promise<Access> {
    const viewer = await this.#viewer(request, declared);
    const { need } = declared;
    if (isProjectAction(need)) {
      if (viewer.kind === 'anonymous' && needsCredentials(need)) throw unauthorized();
      const project = await this.#project(request, viewer, need);
      return { viewer: onProject(viewer, project.id), project };
    }
    if (need === 'job') {
      if (viewer.kind === 'anonymous') throw unauthorized();
      if (viewer.kind === 'user') throw thingNotFound('Job');
    } else if (need !== 'anyone') {
      if (viewer.kind !== 'user') throw unauthorized();
      if (need === 'administrator' && !viewer.admin) throw forbidden();
    }
    return { viewer };
  }

  async #viewer(request: FastifyRequest, { need, jobToken, scopes }: DeclaredNeed): Promise<Viewer> {
    const takesJobTokens = jobToken ?? need === 'job';
    const credentials = findCredentials(request.headers, requestParameters(request), takesJobTokens);
    // Jobs have no browser.
    if (!credentials) return need === 'job' ? anonymous : this.#signedIn(request, scopes);
    if (credentials.kind === 'access token')
      return userBehind(await this.accessTokens.find(credentials.token), new Date(), isReading(request), scopes);
    const job = await this.jobTokens.find(credentials.token);
    if (!job || !isLive(job, new Date())) throw unauthorized();
    return {
      kind: 'job',
      jobId: Number(job.job_id),
      projectId: Number(job.project_id),
      pipelineId: Number(job.pipeline_id),
      userId: Number(job.user_id),
      level: 0,
    };
  }

  /** Whoever the session of the cookie belongs to; one that is no good, or has ended, is nobody's. */
  async #signedIn(request: FastifyRequest, scopes?: readonly string[]): Promise<Viewer> {
    const secret = readSessionCookie(request.headers.cookie, this.config.externalUrl);
    const session = secret === undefined ? undefined : await this.sessions.find(secret);
    if (!session) return anonymous;
    if (!isReading(request) && !isSameOrigin(request.headers, this.config.externalUrl))
      throw forbidden('What is changed with a session has to come from a page of this site');
    return { ...userBehind(session, new Date(), isReading(request), scopes), sessionId: session.session_id };
  }

  async #project(request: FastifyRequest, viewer: Viewer, action: ProjectAction): Promise<ProjectAddress> {
    const { id = '' } = request.params as { id?: string };
    const project = await this.projects.find(id);
    if (!project) throw projectNotFound();
    const seen = onProject(viewer, project.id);
    if (!mayRead(seen, project)) throw projectNotFound();
    // Only those who may see the project learn where it went.
    if (project.moved) throw isReading(request) ? this.#redirect(request, project) : movedProject();
    const refusal = refusalFor(action, seen, project);
    if (refusal) throw refusal;
    return project;
  }

  /** The same URL with the project's number instead of its former path. */
  #redirect(request: FastifyRequest, project: ProjectAddress): Refusal {
    const path = request.raw.url?.replace(/(\/projects\/)[^/?]+/, `$1${project.id}`) ?? '/';
    return new Refusal(301, { message: '301 Moved Permanently' }, { Location: `${this.config.externalUrl}${path}` });
  }
}

function isReading(request: FastifyRequest): boolean {
  return request.method === 'GET' || request.method === 'HEAD';
}
