import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { ProjectAction } from './access.policy.js';
import type { ProjectAddress } from './project-addresses.js';
import type { Viewer } from './viewer.js';

/**
 * What an endpoint asks of its caller.
 * - an action on the project of the path's `:id`
 * - `user`: somebody signed in; `administrator`: one of those
 * - `job`: the job whose token was presented
 * - `anyone`: nobody in particular, but credentials that are given must be good
 * - `nothing`: credentials are not looked at (the trigger endpoint, the runner API, health)
 */
export type Need = ProjectAction | 'user' | 'administrator' | 'job' | 'anyone' | 'nothing';

export interface NeedOptions {
  /** Also take a CI job token (`JOB-TOKEN`, `job_token`); only few endpoints do (trigger-api.md §3.1). */
  jobToken?: boolean;
  /** Scopes of access tokens that suffice beside `api` (and `read_api` for reading). */
  scopes?: readonly string[];
}

export interface DeclaredNeed extends NeedOptions {
  need: Need;
}

export const needMetadata = 'flagfall:need';

/** Declares an endpoint's need. The gateway does not start while a route lacks one. */
export const Needs = (need: Need, options: NeedOptions = {}) =>
  SetMetadata(needMetadata, { need, ...options } satisfies DeclaredNeed);

/** What the guard found out about a request. */
export interface Access {
  viewer: Viewer;
  project?: ProjectAddress;
}

const access = Symbol('access');

export function setAccess(request: FastifyRequest, found: Access): void {
  (request as FastifyRequest & { [access]?: Access })[access] = found;
}

export function accessOf(request: FastifyRequest): Access {
  const found = (request as FastifyRequest & { [access]?: Access })[access];
  if (!found) throw new Error('The access of this request was never checked: does its route have the guard?');
  return found;
}

/** Gives a handler its caller: a `Viewer`, whose `level` is the one on the project of the path. */
export const CurrentViewer = createParamDecorator(
  (_: unknown, context: ExecutionContext) => accessOf(context.switchToHttp().getRequest<FastifyRequest>()).viewer,
);

/** Gives a handler the project of the path, as a `ProjectAddress`. */
export const Project = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const { project } = accessOf(context.switchToHttp().getRequest<FastifyRequest>());
  if (!project) throw new Error('This endpoint needs no project, so there is none to give to its handler');
  return project;
});
