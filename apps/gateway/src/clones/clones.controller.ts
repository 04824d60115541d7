import { request as httpRequest } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Controller, Get, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { OpenCloneSource, Refusal } from '#libs/contracts';
import { refusalFor } from '../access/access.policy.js';
import { AccessTokens, userBehind } from '../access/access-tokens.js';
import { isLive, JobTokens } from '../access/job-tokens.js';
import { Needs } from '../access/needs.decorator.js';
import { type ProjectAddress, ProjectAddresses } from '../access/project-addresses.js';
import { anonymous, onProject } from '../access/viewer.js';
import { AtRoot } from '../http/at-root.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { RequestBody } from '../http/request-body.decorator.js';
import { Services } from '../services.js';

class RepositoryPath {
  @StringParameter({ required: true, description: 'Full path of the project' }) path!: string;
}

/** Of what a client sends, what git's protocol needs. */
const passedOn = [
  'git-protocol',
  'content-type',
  'content-encoding',
  'content-length',
  'accept',
  'accept-encoding',
  'user-agent',
];

/**
 * Clones over git's smart HTTP protocol, read-only (architecture.md §5.5). The URL `/<path>.git/…` arrives here as `/-/git/<path, encoded>/…`.
 * The bytes come from the pipeline service's mirror and pass through.
 */
@AtRoot()
@Controller('-/git/:path')
@Needs('nothing')
export class ClonesController {
  constructor(
    private readonly projects: ProjectAddresses,
    private readonly jobs: JobTokens,
    private readonly tokens: AccessTokens,
    private readonly services: Services,
  ) {}

  @Get('info/refs')
  @Endpoint({
    summary: 'Refs of a repository, as git asks at /<path>.git/info/refs',
    contentType: 'application/x-git-upload-pack-advertisement',
    errors: [401, 403],
  })
  async refs(
    @Parameters(RepositoryPath) { path }: RepositoryPath,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if ((request.raw.url ?? '').includes('service=git-receive-pack')) throw readOnly();
    await this.#pass(path, request, reply, `/info/refs${/\?.*$/.exec(request.raw.url ?? '')?.[0] ?? ''}`);
  }

  @Post('git-upload-pack')
  @RequestBody({ as: 'stream' })
  @Endpoint({
    summary: 'Objects of a repository, as git asks at /<path>.git/git-upload-pack',
    contentType: 'application/x-git-upload-pack-result',
    errors: [401, 403],
  })
  async fetch(
    @Parameters(RepositoryPath) { path }: RepositoryPath,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.#pass(path, request, reply, '/git-upload-pack');
  }

  @Post('git-receive-pack')
  @RequestBody({ as: 'stream' })
  @Endpoint({ summary: 'Refuses pushes', errors: [403] })
  push(@Parameters(RepositoryPath) _: RepositoryPath): never {
    throw readOnly();
  }

  async #pass(path: string, request: FastifyRequest, reply: FastifyReply, rest: string): Promise<void> {
    const { project, pipelineId } = await this.#allowed(path, request.headers.authorization);
    const { url } = await this.services.ask(OpenCloneSource, { projectId: project.id, pipelineId });
    const headers = Object.fromEntries(
      passedOn.flatMap((name) => (request.headers[name] ? [[name, request.headers[name]]] : [])),
    );
    reply.hijack();
    const answered = new Promise<void>((resolve, reject) => {
      const upstream = httpRequest(url + rest, { method: request.method, headers }, (answer) => {
        reply.raw.writeHead(answer.statusCode ?? 502, answer.headers);
        pipeline(answer, reply.raw).then(resolve, reject);
      });
      upstream.on('error', reject);
      reply.raw.once('close', () => upstream.destroy());
      if (request.method === 'POST') pipeline(request.raw, upstream).catch(reject);
      else upstream.end();
    });
    await answered.catch(() => {
      if (!reply.raw.headersSent) reply.raw.writeHead(502, { 'Content-Type': 'text/plain' });
      reply.raw.end();
    });
  }

  /** Basic with a job's token for its own project, or with an access token of somebody who may read the repository. */
  async #allowed(
    path: string,
    authorization: string | undefined,
  ): Promise<{ project: ProjectAddress; pipelineId: number | null }> {
    const token = passwordOf(authorization);
    const project = await this.projects.find(path);
    if (token) {
      const now = new Date();
      const job = await this.jobs.find(token);
      if (job) {
        if (!isLive(job, now) || !project || Number(job.project_id) !== project.id) throw challenge();
        return { project, pipelineId: Number(job.pipeline_id) };
      }
      const viewer = userBehind(await this.tokens.find(token), now, true);
      const refused = refusalFor('read-repository', project ? onProject(viewer, project.id) : viewer, project);
      if (refused || !project) throw refused ?? challenge();
      return { project, pipelineId: null };
    }
    if (!project || refusalFor('read-repository', anonymous, project)) throw challenge();
    return { project, pipelineId: null };
  }
}

function passwordOf(authorization: string | undefined): string | undefined {
  const encoded = /^basic +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (!encoded) return undefined;
  const decoded = Buffer.from(encoded, 'base64').toString();
  return decoded.slice(decoded.indexOf(':') + 1) || undefined;
}

/** git asks for credentials, or offers the ones it has, only after this. */
function challenge(): Refusal {
  return new Refusal(401, { message: '401 Unauthorized' }, { 'WWW-Authenticate': 'Basic realm="Flagfall"' });
}

function readOnly(): Refusal {
  return new Refusal(403, {
    message: '403 Forbidden - repositories are read-only here: push to where the project comes from',
  });
}
