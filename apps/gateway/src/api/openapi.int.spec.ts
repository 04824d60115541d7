import type { OpenAPIObject } from '@nestjs/swagger';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { pino } from 'pino';
import { messageProblems } from '#libs/contracts';
import { InProcessBus, InProcessStrategy } from '#libs/messaging';
import { openDatabase } from '#libs/persistence';
import { Metrics } from '#libs/process';
import { DataSource } from 'typeorm';
import { type ScratchDatabase, scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { createGatewayApp } from '../gateway.module.js';
import { RouteTable } from '../http/route-table.js';
import { gatewaySchema } from '../schema/index.js';
import { publishedViews, testConfig } from '../testing/test-gateway.js';

let scratch: ScratchDatabase;
let database: DataSource;
let bus: InProcessBus;
let app: NestFastifyApplication;
let url: string;
let document: OpenAPIObject;

/** The gateway with all its features; the services behind it are not asked anything here. */
beforeAll(async () => {
  const log = pino({ level: 'silent' });
  scratch = await scratchDatabase('openapi');
  database = await openDatabase({ url: scratch.url }, { ...gatewaySchema, views: [] }, log);
  await database.query(publishedViews);
  const parked = {
    park: async () => undefined,
    list: async () => [],
    take: async () => undefined,
    drop: async () => undefined,
  };
  bus = new InProcessBus({ validate: messageProblems, parked: parked as never });
  const strategy = new InProcessStrategy({ bus, service: 'gateway' } as never);
  app = await createGatewayApp({
    config: testConfig(scratch.url),
    database,
    bus,
    strategy,
    log,
    metrics: new Metrics(),
  });
  await app.listen(0, '127.0.0.1');
  url = `http://127.0.0.1:${(app.getHttpServer().address() as { port: number }).port}`;
  document = (await (await fetch(`${url}/api/openapi.json`)).json()) as OpenAPIObject;
});

afterAll(async () => {
  await app?.close();
  await bus?.close();
  await database?.destroy();
  await scratch.drop();
});

/** `/projects/:id` as OpenAPI writes it. */
const template = (path: string) => path.replace(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}');

it('every route of the running gateway is described', () => {
  const own = app.get(RouteTable).routes;
  const routes = own.map(({ method, path }) => `${method} ${template(path)}`);
  const described = operations().map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  expect(routes.length).toBeGreaterThan(5);
  expect(described.sort()).toEqual(routes.sort());
});

it('every parameter of a path is described, and nothing else is called one', () => {
  for (const { path, operation } of operations()) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    const described = (operation.parameters ?? []).flatMap((each) =>
      'in' in each && each.in === 'path' ? [each.name] : [],
    );
    expect({ path, described: described.sort() }).toEqual({ path, described: names.sort() });
  }
});

it('every operation has a summary, an id of its own, and describes its success and its refusals', () => {
  const ids = operations().map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, operation } of operations()) {
    const statuses = Object.keys(operation.responses);
    expect({ path, summary: operation.summary }).toEqual({ path, summary: expect.stringMatching(/\w/) });
    expect({ path, success: statuses.filter((status) => status.startsWith('2')).length }).not.toEqual({
      path,
      success: 0,
    });
    expect({ path, statuses }).toEqual({ path, statuses: expect.arrayContaining(['400', '503', 'default']) });
  }
});

it('every reference leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
    ([, name]) => name,
  );
  expect(references.length).toBeGreaterThan(0);
  expect(references.filter((name) => !(name !== undefined && name in (document.components?.schemas ?? {})))).toEqual(
    [],
  );
});

it('every schema is one, and what the gateway answers fits it', async () => {
  const schemas = new Ajv({ strict: true, strictTypes: false, keywords: ['example', 'components'] });
  addFormats.default(schemas);
  schemas.addSchema({ $id: 'api', components: document.components }, 'api');
  const validator = (name: string) => schemas.compile({ $ref: `api#/components/schemas/${name}` });
  for (const name of Object.keys(document.components?.schemas ?? {})) expect(validator(name)).toBeInstanceOf(Function);
  const answer = async (path: string) => (await fetch(`${url}${path}`)).json();
  expect(validator('LivenessResponse')(await answer('/-/liveness'))).toBe(true);
  expect(validator('ReadinessResponse')(await answer('/-/readiness'))).toBe(true);
  expect(validator('ErrorMessage')(await answer('/api/v4/version'))).toBe(true);
  expect(validator('ParameterError')(await answer('/api/v4/nowhere'))).toBe(true);
  expect(validator('ErrorMessage')(await answer('/api/v4/nowhere'))).toBe(false);
});

it('is an OpenAPI 3 document that names its server and its credentials', () => {
  expect(document.openapi).toMatch(/^3\.\d+\.\d+$/);
  expect(document.servers).toEqual([{ url: testConfig('').externalUrl }]);
  expect(Object.keys(document.components?.securitySchemes ?? {})).toEqual([
    'private token',
    'job token',
    'bearer',
    'session',
  ]);
});

it('tells the parameters of the trigger call, in every form', () => {
  const { requestBody, parameters } = operation('/api/v4/projects/{id}/trigger/pipeline', 'post');
  const { content } = requestBody as {
    content: Record<string, { schema: { properties: object; required: string[] } }>;
  };
  expect(Object.keys(content)).toEqual([
    'application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
  ]);
  expect(Object.keys(content['application/json']?.schema.properties ?? {})).toEqual([
    'ref',
    'token',
    'variables',
    'inputs',
  ]);
  expect(content['application/json']?.schema.required).toEqual(['ref', 'token']);
  expect(parameters).toEqual([
    expect.objectContaining({ name: 'Prefer', in: 'header', required: false }),
    expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: false }),
    expect.objectContaining({ name: 'id', in: 'path', required: true }),
  ]);
});

it('the ref of the webhook form is in its path, and no longer in its body', () => {
  const { requestBody, parameters } = operation('/api/v4/projects/{id}/ref/{ref}/trigger/pipeline', 'post');
  const { content } = requestBody as { content: Record<string, { schema: { properties: object } }> };
  expect(Object.keys(content['application/json']?.schema.properties ?? {})).toEqual(['token', 'variables', 'inputs']);
  const inPath = (parameters as { name: string; in: string }[]).filter((parameter) => parameter.in === 'path');
  expect(inPath.map(({ name }) => name)).toEqual(['id', 'ref']);
});

it.each([
  ['/-/liveness', 200, '{"status":"ok"}'],
  ['/-/readiness', 200, '{"status":"ok","checks":{"database":"ok","broker":"ok","services":"ok"}}'],
])('%s', async (path, status, body) => {
  const answer = await fetch(`${url}${path}`);
  expect([answer.status, await answer.text()]).toEqual([status, body]);
});

it('/ says what this is', async () => {
  const answer = await fetch(`${url}/`);
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(await answer.text()).toContain('https://ci.example.com/api/v4/projects/PROJECT_ID/trigger/pipeline');
});

it('readiness says which part does not work', async () => {
  await database.destroy();
  const answer = await fetch(`${url}/-/readiness`);
  expect([answer.status, await answer.json()]).toMatchObject([
    503,
    { status: 'failed', checks: { database: 'failed' } },
  ]);
  await database.initialize();
});

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

function operations(): { path: string; method: string; operation: Operation }[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({ path, method, operation })),
  );
}

function operation(path: string, method: 'get' | 'post'): Operation {
  const found = document.paths[path]?.[method];
  if (!found) throw new Error(`${method} ${path} is not described`);
  return found;
}
