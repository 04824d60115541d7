import { type IncomingMessage, request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Controller, Get, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { OpenCloneSource, Refusal, unavailable } from '#libs/contracts';
import { Needs } from '../access/needs.decorator.js';
import { AtRoot } from '../http/at-root.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { answerTo } from '../http/failure.js';
import { StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { RequestBody } from '../http/request-body.decorator.js';
import { Services } from '../services.js';
import { CloneAccess } from './clone-access.js';

/** A commit that is not in the mirror yet is fetched first, which has 30 s (architecture.md §2.5). */
const preparationMs = 45_000;

class RepositoryPath {
  @StringParameter({ required: true, description: 'Full path of the project' }) path!: string;
}

/** Of what comes back. */
const returned = ['content-type', 'cache-control', 'expires', 'pragma', 'content-encoding', 'allow'];

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
    private readonly access: CloneAccess,
    private readonly services: Services,
  ) {}

  @Get('info/refs')
  @Endpoint({
    summary: 'Refs of a repository, as git asks at /<path>.git/info/refs',
    contentType: 'application/x-git-upload-pack-advertisement',
    refusalType: 'text/plain',
    errors: [401, 403, 404],
  })
  async refs(
    @Parameters(RepositoryPath) { path }: RepositoryPath,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const query = /\?.*$/s.exec(request.raw.url ?? '')?.[0] ?? '';
    await this.#answer(reply, async () => {
      if (new URLSearchParams(query).get('service') === 'git-receive-pack') throw readOnly();
      await this.#pass(path, request, reply, `/info/refs${query}`);
    });
  }

  @Post('git-upload-pack')
  @RequestBody({ as: 'stream' })
  @Endpoint({
    summary: 'Objects of a repository, as git asks at /<path>.git/git-upload-pack',
    contentType: 'application/x-git-upload-pack-result',
    refusalType: 'text/plain',
    errors: [401, 403, 404, 415],
  })
  async fetch(
    @Parameters(RepositoryPath) { path }: RepositoryPath,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.#answer(reply, () => this.#pass(path, request, reply, '/git-upload-pack'));
  }

  @Post('git-receive-pack')
  @RequestBody({ as: 'stream' })
  @Endpoint({ summary: 'Refuses pushes', refusalType: 'text/plain', errors: [403] })
  push(@Parameters(RepositoryPath) _: RepositoryPath, @Res() reply: FastifyReply): Promise<void> {
    return this.#answer(reply, () => Promise.reject(readOnly()));
  }

  async #answer(reply: FastifyReply, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { refusal, crash } = answerTo(error);
      if (crash) throw error;
      // git shows plain text to its user, and hides JSON.
      void reply.code(refusal.status).headers(refusal.headers).type('text/plain; charset=utf-8');
      await reply.send(`${sentence(refusal)}\n`);
    }
  }

  async #pass(path: string, request: FastifyRequest, reply: FastifyReply, rest: string): Promise<void> {
    const { project, pipelineId } = await this.access.grant(path, request.headers.authorization, new Date());
    const fields = { projectId: project.id, pipelineId, begins: request.method === 'GET' };
    const { url } = await this.services.ask(OpenCloneSource, fields, preparationMs);
    const answer = await relay(url + rest, request, reply);
    const headers = Object.fromEntries(
      returned.flatMap((name) => (answer.headers[name] ? [[name, answer.headers[name]]] : [])),
    );
    await reply
      .code(answer.statusCode ?? 502)
      .headers(headers)
      .send(answer);
  }
}

/**
 * Passes the request on; the bytes go through as they come, and when either side goes away the other one is told.
 * @returns the answer, its body unread
 * @throws Refusal 503 when the service cannot be reached
 */
function relay(url: string, request: FastifyRequest, reply: FastifyReply): Promise<IncomingMessage> {
  const headers = Object.fromEntries(
    passedOn.flatMap((name) => (request.headers[name] ? [[name, request.headers[name]]] : [])),
  );
  return new Promise((resolve, reject) => {
    const upstream = httpRequest(url, { method: request.method, headers, agent: false });
    upstream.once('response', resolve);
    upstream.on('error', () => reject(unavailable()));
    reply.raw.once('close', () => upstream.destroy());
    if (request.body instanceof Readable) pipeline(request.body, upstream).catch(() => upstream.destroy());
    else upstream.end();
  });
}

function sentence({ body }: Refusal): string {
  const { message } = body;
  return typeof message === 'string' ? message : JSON.stringify(message ?? body);
}

function readOnly(): Refusal {
  return new Refusal(403, { message: 'Repositories are read-only here: push to where the project comes from' });
}
