import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Controller, Delete, Get, HttpException, Param, Post, Res } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { DataSource } from 'typeorm';
import { invalid, Refusal, tokenExpired } from '#libs/contracts';
import { PublishFailed, RequestTimeout } from '#libs/messaging';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { Needs } from '../access/needs.decorator.js';
import { externalUrl, startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import { Endpoint } from './endpoint.decorator.js';
import { Page, RequestedPage } from './page.decorator.js';
import { IntegerParameter } from './parameter.decorators.js';
import { Parameters } from './parameters.decorator.js';

class ItemResponse {
  @ApiProperty() id!: number;
}

class ItemParameters {
  @IntegerParameter({ required: true }) item_id!: number;
}

@Controller('things')
@Needs('nothing')
class ThingsController {
  constructor(private readonly database: DataSource) {}

  @Get('fail/:how')
  @Endpoint({ summary: 'Fail', errors: [401] })
  async fail(@Param('how') how: string, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    if (how === 'refuse') throw invalid({ base: ['Reference not found'] });
    if (how === 'expired') throw tokenExpired();
    if (how === 'crash') throw new Error('broken at glptt-0123456789abcdef and glpat-xyz_1');
    if (how === 'string') throw 'a text';
    if (how === 'timeout') throw new RequestTimeout('x', 10);
    if (how === 'unpublished') throw new PublishFailed('away', 'x', []);
    if (how === 'nest') throw new HttpException('no tea here', 418);
    if (how === 'sql')
      await this.database.query('select $1::text as "secret" from nowhere', ['parameter-of-statement']);
    if (how === 'database') await behindProxy.query('select 1');
    if (how === 'late') {
      reply.hijack();
      reply.raw.writeHead(200, { 'Content-Length': '100' });
      reply.raw.write('begun');
      throw new Error('in the middle');
    }
    throw new Refusal(418, {});
  }

  @Get()
  @Endpoint({ summary: 'List', returns: [ItemResponse] })
  list(@RequestedPage() page: Page): ItemResponse[] {
    return page.answer([{ id: page.offset + 1 }], { total: 45 });
  }

  @Get(':item_id')
  @Endpoint({ summary: 'Show', returns: ItemResponse, errors: [404] })
  show(@Parameters(ItemParameters) { item_id }: ItemParameters): ItemResponse {
    return { id: item_id };
  }

  @Post()
  @Endpoint({ summary: 'Make', success: 201, returns: ItemResponse })
  make(): ItemResponse {
    return { id: 1 };
  }

  @Delete(':item_id')
  @Endpoint({ summary: 'Remove', success: 204 })
  remove(): void {}
}

let gateway: TestGateway;
let api: string;

/** A database that can be cut off: its connections go through a proxy. */
let behindProxy: DataSource;
const connections = new Set<Socket>();
const proxy = createServer((socket) => {
  const { hostname, port } = new URL(gateway.databaseUrl);
  const server = connect(Number(port || 5432), hostname);
  for (const each of [socket, server]) {
    connections.add(each);
    each.on('error', () => each.destroy());
    each.on('close', () => connections.delete(each));
  }
  socket.pipe(server).pipe(socket);
});

beforeAll(async () => {
  gateway = await startTestGateway([ThingsController]);
  api = `${gateway.url}/api/v4`;
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const url = new URL(gateway.databaseUrl);
  url.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  behindProxy = await new DataSource({ type: 'postgres', url: url.href }).initialize();
});
afterAll(async () => {
  await behindProxy.destroy();
  await gateway.close();
});

async function ask(path: string, init: RequestInit = {}) {
  const response = await fetch(path.startsWith('/') ? `${gateway.url}${path}` : `${api}/${path}`, init);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

describe('errors become GitLab’s answers', () => {
  it.each([
    ['things/fail/refuse', 400, { message: { base: ['Reference not found'] } }],
    ['things/fail/crash', 500, { message: '500 Internal Server Error' }],
    ['things/fail/string', 500, { message: '500 Internal Server Error' }],
    ['things/fail/sql', 500, { message: '500 Internal Server Error' }],
    ['things/fail/timeout', 503, { message: '503 Service Unavailable' }],
    ['things/fail/unpublished', 503, { message: '503 Service Unavailable' }],
    ['things/fail/nest', 418, { error: "418 I'm a Teapot" }],
    ['things/abc', 400, { error: 'item_id is invalid' }],
    ['things?page=x', 400, { error: 'page is invalid' }],
    ['nothing/here', 404, { error: '404 Not Found' }],
    ['/elsewhere', 404, { error: '404 Not Found' }],
    ['/api/v3/projects', 410, { error: 'API V3 is no longer supported. Use API V4 instead.' }],
    ['//api//v3//projects', 410, { error: 'API V3 is no longer supported. Use API V4 instead.' }],
    ['/%zz', 400, { error: 'The URL is not properly percent-encoded' }],
    ['/api/v3', 410, { error: 'API V3 is no longer supported. Use API V4 instead.' }],
  ])('%s', async (path, status, body) => {
    const answer = await ask(path);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toEqual(body);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('a database that cannot be reached is a 503, and works again once it can', async () => {
    const { port } = proxy.address() as AddressInfo;
    expect((await ask('things/fail/database')).status).toBe(418);
    for (const connection of connections) connection.destroy();
    await new Promise((resolve) => proxy.close(resolve));
    for (let attempt = 0; attempt < 3; attempt++) {
      const answer = await ask('things/fail/database');
      expect([answer.status, answer.text]).toEqual([503, '{"message":"503 Service Unavailable"}']);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    }
    await new Promise<void>((resolve) => proxy.listen(port, '127.0.0.1', resolve));
    expect((await ask('things/fail/database')).status).toBe(418);
    for (const connection of connections) connection.destroy();
    proxy.close();
  });

  it('a part of the path that is too long', async () => {
    const answer = await ask(`things/${'x'.repeat(3000)}`);
    expect([answer.status, answer.text]).toEqual([414, '{"error":"414 URI Too Long"}']);
  });

  it('503 says when to come back, in whole seconds', async () => {
    expect((await ask('things/fail/timeout')).headers.get('retry-after')).toMatch(/^\d+$/);
  });

  it('carries the headers of a refusal', async () => {
    const answer = await ask('things/fail/expired');
    expect(answer.headers.get('www-authenticate')).toContain('Bearer realm="The API", error="invalid_token"');
  });

  it('logs a crash once, without secrets', async () => {
    gateway.logged.length = 0;
    await ask('things/fail/crash?private_token=glpat-in-the-query');
    await ask('things/fail/sql');
    const errors = gateway.logged.filter((line) => line.includes('"level":50'));
    expect(errors).toHaveLength(2);
    expect(errors[0]).toContain('broken at [masked] and [masked]');
    expect(errors[1]).toContain('42P01');
    expect(gateway.logged.join('')).not.toMatch(/glp(at|tt)-|parameter-of-statement|in-the-query/);
  });

  it('cuts off an answer that fails in the middle', async () => {
    await expect(ask('things/fail/late')).rejects.toThrow(/terminated|fetch failed/);
  });

  it('a broken body sent to no route is still no route', async () => {
    const init = { method: 'POST', body: '{', headers: { 'Content-Type': 'application/json' } };
    expect((await ask('nothing', init)).text).toBe('{"error":"404 Not Found"}');
  });
});

describe('methods', () => {
  it.each([
    ['things', 'PUT', 'GET, HEAD, POST'],
    ['things/1', 'PATCH', 'DELETE, GET, HEAD'],
    ['/-/liveness', 'POST', 'GET, HEAD'],
  ])('%s does not know %s', async (path, method, allow) => {
    const answer = await ask(path, { method, body: '{}', headers: { 'Content-Type': 'application/json' } });
    expect(answer.status).toBe(405);
    expect(answer.text).toBe('{"error":"405 Not Allowed"}');
    expect(answer.headers.get('allow')).toBe(allow);
  });

  it('HEAD works wherever GET does, and has no body', async () => {
    const answer = await ask('things/1', { method: 'HEAD' });
    expect([answer.status, answer.text, answer.headers.get('content-length')]).toEqual([200, '', '8']);
    expect((await ask('nothing', { method: 'HEAD' })).status).toBe(404);
  });

  it('204 has no content', async () => {
    const answer = await ask('things/1', { method: 'DELETE' });
    expect([answer.status, answer.text, answer.headers.get('content-type')]).toEqual([204, '', null]);
  });

  it('a POST that makes something answers 201', async () => {
    expect((await ask('things', { method: 'POST' })).status).toBe(201);
  });
});

describe('request ids', () => {
  it('are echoed', async () => {
    const answer = await ask('things', { headers: { 'X-Request-Id': '0123456789abcdef0123456789abcdef' } });
    expect(answer.headers.get('x-request-id')).toBe('0123456789abcdef0123456789abcdef');
  });

  it('are made up where there is none that can be echoed', async () => {
    const answer = await ask('things', { headers: { 'X-Request-Id': 'a b"c' } });
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

it('a page has GitLab’s headers, with links to the external URL', async () => {
  const { headers, text } = await ask('things?page=2&per_page=20&private_token=secret');
  expect(text).toBe('[{"id":21}]');
  expect(headers.get('x-total')).toBe('45');
  expect(headers.get('x-next-page')).toBe('3');
  const link = (page: number) => `<${externalUrl}/api/v4/things?page=${page}&per_page=20>`;
  expect(headers.get('link')).toBe(
    `${link(1)}; rel="prev", ${link(3)}; rel="next", ${link(1)}; rel="first", ${link(3)}; rel="last"`,
  );
});

it.each([
  ['per_page=500', '100', '1'],
  ['per_page=0&page=0', '1', '1'],
  ['per_page=&page=', '20', '1'],
  ['page=-3', '20', '1'],
])('%s', async (query, perPage, page) => {
  const { headers } = await ask(`things?${query}`);
  expect([headers.get('x-per-page'), headers.get('x-page')]).toEqual([perPage, page]);
});

it('logs method, route, status and time of a request, and nothing of its query', async () => {
  gateway.logged.length = 0;
  await ask('things/7?token=glptt-secret');
  // It is written once the answer has gone out.
  const line = await until('the line', () =>
    gateway.logged.map((each) => JSON.parse(each) as Record<string, unknown>).find(({ msg }) => msg === 'request'),
  );
  expect(line).toMatchObject({ method: 'GET', route: '/api/v4/things/:item_id', status: 200, ms: expect.any(Number) });
  expect(JSON.stringify(line)).not.toContain('secret');
});
