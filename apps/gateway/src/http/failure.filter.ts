import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { types } from 'node:util';
import { type ArgumentsHost, Catch, type ExceptionFilter, NotFoundException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { methodNotAllowed, type Refusal, unknownRoute, versionGone } from '#libs/contracts';
import { answerTo } from './failure.js';
import type { RouteTable } from './route-table.js';

/** Turns everything that is thrown into an answer: the one place where errors become HTTP (trigger-api.md §0.3). */
@Catch()
export class FailureFilter implements ExceptionFilter {
  constructor(
    private readonly routes: RouteTable,
    private readonly log: Logger,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const { refusal, crash } = answerTo(error);
    if (crash)
      this.log.error(
        { method: request.method, route: request.routeOptions?.url, requestId: request.id, err: describe(error) },
        'a request failed',
      );
    if (reply.sent || reply.raw.headersSent) {
      // Too late to say anything; a cut-off answer must not look like a whole one.
      reply.raw.destroy();
      return;
    }
    send(reply, error instanceof NotFoundException && request.is404 ? this.#noRoute(request) : refusal);
  }

  #noRoute(request: FastifyRequest): Refusal {
    const [path = '/'] = (request.raw.url ?? '/').split('?');
    if (/^\/+api\/+v3(?:\/|$)/.test(path)) return versionGone();
    const methods = this.routes.methodsFor(path);
    return methods.length > 0 ? methodNotAllowed(methods) : unknownRoute();
  }
}

/** Sends a refusal as the whole answer; as bytes, since Fastify adds a charset to texts. */
export function send(reply: FastifyReply, refusal: Refusal): void {
  const bytes = Buffer.from(JSON.stringify(refusal.body));
  void reply.code(refusal.status).headers(refusal.headers).header('Content-Type', 'application/json');
  // Fastify closes the connection of a body that was not read.
  if (reply.getHeader('connection') !== 'close' || reply.request.raw.complete) void reply.send(bytes);
  else void reply.header('Content-Length', bytes.length).send(afterTheRest(bytes, reply.request.raw));
}

/** How long the rest of a body may pass unread. */
const restMs = 5_000;

/**
 * An answer that ends when the rest of the request has passed. If the connection closed while a caller still sends, its system would throw the answer away
 * unread; so the caller has all of it at once, and the time to stop.
 */
function afterTheRest(answer: Buffer, request: IncomingMessage): Readable {
  const stream = new Readable({ read: () => undefined });
  stream.push(answer);
  const end = (): void => {
    clearTimeout(timer);
    if (!stream.readableEnded && !stream.destroyed) stream.push(null);
  };
  const timer = setTimeout(end, restMs).unref();
  request.once('end', end).once('close', end).resume();
  return stream;
}

/** For the log: the error's own words and where it was, but no fields, which may hold parameters of a statement; tokens are masked. */
function describe(error: unknown): { type: string; message: string; code?: unknown; stack?: string } {
  if (!types.isNativeError(error)) return { type: typeof error, message: masked(String(error)) };
  return {
    type: error.name,
    message: masked(error.message),
    code: (error as { code?: unknown }).code,
    stack: error.stack && masked(error.stack),
  };
}

function masked(text: string): string {
  return text.replace(/\bgl(?:pat|ptt|rt|cbt)-[\w-]+/g, '[masked]');
}
