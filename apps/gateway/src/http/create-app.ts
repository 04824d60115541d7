import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Type } from '@nestjs/common';
import { type DynamicModule, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyHttpOptions, FastifyInstance, FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import type { Metrics } from '#libs/process';
import { AccessModule } from '../access/access.module.js';
import { describeApi } from '../api/openapi.js';
import { GatewayConfig } from '../config.js';
import { Pages } from '../pages/pages.js';
import { apiPrefix } from './at-root.decorator.js';
import { BodyMemory } from './body-memory.js';
import { answerTo } from './failure.js';
import { FailureFilter, send } from './failure.filter.js';
import { handlerMethods, requireNeeds } from './handler-methods.js';
import { HttpModule } from './http.module.js';
import { measureRequests } from './measure-requests.js';
import { NestLog } from './nest-log.js';
import { readBodies } from './request-body.js';
import { RouteTable } from './route-table.js';

declare module 'fastify' {
  interface FastifyInstance {
    externalUrl: string;
  }
}

/** Names of branches and full paths of projects are single segments of a URL once they are encoded. */
const longestParameter = 2048;
const headerLimit = 32 * 1024;

@Module({})
class GatewayRoot {}

/**
 * The gateway's HTTP server around the modules of its features, ready to `listen`.
 *
 * @param features controllers and providers; one of its modules provides TypeORM's `DataSource` globally
 * @throws Error when a route does not declare what it needs
 */
export async function createGateway(
  features: Type | DynamicModule,
  config: GatewayConfig,
  log: Logger,
  metrics: Metrics,
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter(serverOptions(config));
  const server = adapter.getInstance() as unknown as FastifyInstance;
  server.decorate('externalUrl', config.externalUrl);
  server.addHook('onRequest', (request, reply, done) => {
    commonHeaders(reply, request.id);
    done();
  });
  server.addHook('onSend', (_request, reply, payload, done) => {
    // Fastify adds a charset, which JSON does not have and GitLab does not send (trigger-api.md §0.1).
    if (reply.getHeader('content-type') === 'application/json; charset=utf-8') void reply.type('application/json');
    done(null, payload);
  });
  const connections = connectionsOf(server.server);
  server.addHook('preClose', (done) => {
    setTimeout(() => closeUnused(connections), unusedGraceMs).unref();
    // What is under way when the server closes is answered on connections that their clients would keep, and the process would wait for them.
    server.server.keepAliveTimeout = 1;
    done();
  });
  const pages = await Pages.read(config.pagesDirectory);
  if (pages) servePages(server, pages);
  if (log.isLevelEnabled('debug')) logRequests(server, log);
  measureRequests(server, metrics);
  readBodies(server, { memory: new BodyMemory(config.bodyMemory) });
  const routes = new RouteTable(server);

  const app = await NestFactory.create<NestFastifyApplication>(
    { module: GatewayRoot, imports: [HttpModule.with(config, log, metrics, routes), AccessModule, features] },
    adapter,
    { bodyParser: false, logger: new NestLog(log), abortOnError: false },
  );
  app.useGlobalFilters(new FailureFilter(routes, log));
  requireNeeds(app);
  app.setGlobalPrefix(apiPrefix, { exclude: rootRoutes(app) });
  describeApi(app, config);
  await app.init();
  return app;
}

/** Whoever has just connected is about to ask. */
const unusedGraceMs = 1_000;

function connectionsOf(server: Server): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return open;
}

/** Browsers connect in advance. Where nothing was asked yet, Node does not call it idle, and closing would wait until they let go of it. */
function closeUnused(connections: ReadonlySet<Socket>): void {
  for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
}

/** Everything that Fastify is told about its server. */
function serverOptions({ trustedProxies }: GatewayConfig) {
  const options: FastifyHttpOptions<Server> = {
    logger: false,
    trustProxy: trustedProxies.length > 0 ? trustedProxies : false,
    genReqId: ({ headers }) => acceptableRequestId(headers['x-request-id']) ?? randomUUID(),
    rewriteUrl: ({ url }) => encodeRef(encodeClone(encodeArtifactsRef(url ?? '/'))),
    routerOptions: {
      maxParamLength: longestParameter,
      // GitLab's router takes `//` for `/` and does not mind a slash at the end.
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      // The query is read where its parameters are wanted, and its faults are then answered like any other.
      querystringParser: () => ({}),
    },
    frameworkErrors: (error, request, reply) => {
      commonHeaders(reply, request.id);
      send(reply, answerTo(error).refusal);
    },
    clientErrorHandler: answerBrokenRequest,
    // A stopping replica still answers whoever already has a connection to it.
    return503OnClosing: false,
    // runner-api.md §0 trap 7: runners keep idle connections for 90 s, and an upload may take an hour. Headers still have their limit.
    keepAliveTimeout: 100_000,
    requestTimeout: 0,
    http: { headersTimeout: 60_000, maxHeaderSize: headerLimit },
  };
  // Nothing uses Connect middleware; leaving its engine out spares every request two hooks. Multipart forms are read by `readBodies`.
  return { ...options, skipMiddie: true, multipart: false as const };
}

/** Nest compares these patterns with the paths of routes as they are written, so parameters in them stand for themselves. */
function rootRoutes(app: NestFastifyApplication): string[] {
  return handlerMethods(app)
    .filter(({ atRoot }) => atRoot)
    .flatMap(({ paths }) => paths.map((path) => path.replace(/[:*{}()[\]+?!]/g, '\\$&') || '/'));
}

/** trigger-api.md §0.1. No answer is a page, but for the pages, which have a policy of their own. */
const securityHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'SAMEORIGIN',
  // A URL may hold a token.
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
};

/** The id is echoed since runners print it in job logs (runner-api.md §0). */
function commonHeaders(reply: FastifyReply, requestId: string): void {
  void reply.headers({ 'X-Request-Id': requestId, ...securityHeaders });
}

function acceptableRequestId(given: string | string[] | undefined): string | undefined {
  return typeof given === 'string' && /^[\w.:/+=-]{1,128}$/.test(given) ? given : undefined;
}

const refForm = /^(\/+api\/v4\/+projects\/[^/?]+\/ref\/)([^?]+)(\/trigger\/pipeline\/*(?:\?.*)?)$/s;

/**
 * The ref of the webhook form may hold slashes, encoded or not, and even `/trigger/pipeline`, of which the last one counts
 * (trigger-api.md §1.2). Encoding them here makes it one segment of an ordinary route.
 */
export function encodeRef(url: string): string {
  const found = url.includes('/ref/') ? refForm.exec(url) : null;
  return found ? `${found[1]}${found[2]?.replaceAll('/', '%2F')}${found[3]}` : url;
}

const artifactsForm =
  /^(\/+api\/v4\/+projects\/[^/?]+\/jobs\/artifacts\/)([^?]+?)(\/download\/*(?:\?.*)?|\/raw\/[^?]+(?:\?.*)?)$/s;

/** The same for the ref that names the pipeline whose artifacts are wanted. */
export function encodeArtifactsRef(url: string): string {
  const found = url.includes('/jobs/artifacts/') ? artifactsForm.exec(url) : null;
  return found ? `${found[1]}${found[2]?.replaceAll('/', '%2F')}${found[3]}` : url;
}

/** What follows the first slashes begins with something else, so that a long row of them is read once. */
const cloneForm = /^\/+([^/?][^?]*?)\.git\/(info\/refs|git-upload-pack|git-receive-pack)(\?.*)?$/s;

/** A repository's URL holds the full path of its project; as one segment it is an ordinary route too. */
export function encodeClone(url: string): string {
  const found = url.includes('.git/') ? cloneForm.exec(url) : null;
  return found ? `/-/git/${found[1]?.replaceAll('/', '%2F')}/${found[2]}${found[3] ?? ''}` : url;
}

/** Before the API says that there is no such route; `/` is a route for those who are no browser. */
function servePages(server: FastifyInstance, pages: Pages): void {
  server.addHook('onRequest', (request, reply, done) => {
    if (!(request.is404 || request.routeOptions.url === '/') || !pages.answer(request, reply)) done();
  });
}

/** Method, route, status and time; never the URL, whose query holds tokens. */
function logRequests(server: FastifyInstance, log: Logger): void {
  server.addHook('onResponse', (request, reply, done) => {
    const { url: route = 'none' } = request.routeOptions;
    log.debug(
      {
        method: request.method,
        route,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        requestId: request.id,
      },
      'request',
    );
    done();
  });
}

/** What is not even HTTP gets an answer in the API's form as well, where there is still somebody to read it. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason = status] = brokenRequests[error.code ?? ''] ?? ['400 Bad Request'];
  const body = JSON.stringify({ error: reason });
  const headers = {
    ...securityHeaders,
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    Connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status}`, ...lines, '', body].join('\r\n'));
}

/** By the code of Node's HTTP parser: the status, and the reason where the status does not say it. */
const brokenRequests: Record<string, readonly [status: string, reason?: string]> = {
  // `curl` sends what is in the URL as it is: an umlaut, for example.
  HPE_INVALID_URL: ['400 Bad Request', 'The URL is not properly percent-encoded'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout'],
};
