import { applyDecorators, Injectable, type INestApplication, RequestMethod } from '@nestjs/common';
import {
  ApiBody,
  ApiConsumes,
  ApiExtraModels,
  ApiParam,
  ApiQuery,
  ApiSecurity,
  DocumentBuilder,
  type OpenAPIObject,
  SwaggerModule,
} from '@nestjs/swagger';
import { GatewayConfig } from '../config.js';
import { sessionCookieName } from '../sessions/session-cookie.js';

import { isProjectAction } from '../access/access.policy.js';
import { MayRefuse } from '../http/endpoint.decorator.js';
import { documentedParameters } from '../http/parameters.decorator.js';
import { type HandlerMethod, handlerMethods } from '../http/handler-methods.js';
import { type Declaration, declaredParameters } from '../http/read-parameters.js';
import { apiVersion } from '../version/api-version.js';

/** The OpenAPI document, made once at the start. */
@Injectable()
export class ApiDocument {
  document: OpenAPIObject | undefined;
}

/** Where Nest's decorators keep answers; it does not export the name. */
const answersMetadata = 'swagger/apiResponse';
const bodyMethods = new Set([RequestMethod.POST, RequestMethod.PUT, RequestMethod.PATCH]);
const forms = ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data'];

/** Describes every endpoint: what its decorators say, the parameters of its classes, and the credentials its need asks for. */
export function describeApi(app: INestApplication, config: GatewayConfig): void {
  for (const handler of handlerMethods(app)) describeHandler(handler);
  const description =
    "GitLab's API for pipeline triggers, pipelines, jobs and runners. Parameters of any request may be sent in the query string, as JSON, " +
    'urlencoded or as a multipart form, also mixed: the body wins over the query, the path over both.';
  const base = new DocumentBuilder()
    .setTitle('Flagfall')
    .setDescription(description)
    .setVersion(apiVersion.version)
    .addServer(config.externalUrl)
    .addApiKey({ type: 'apiKey', in: 'header', name: 'PRIVATE-TOKEN' }, 'private token')
    .addApiKey({ type: 'apiKey', in: 'header', name: 'JOB-TOKEN' }, 'job token')
    .addBearerAuth({ type: 'http', scheme: 'bearer' }, 'bearer')
    .addCookieAuth(sessionCookieName(config.externalUrl), { type: 'apiKey', in: 'cookie' }, 'session')
    .build();
  const document = withNullableReferences(SwaggerModule.createDocument(app, base));
  app.get(ApiDocument).document = { ...document, paths: pathsOnTheirOwn(document.paths) };
}

/**
 * `nullable` beside `allOf` allows nothing: OpenAPI 3.0 reads it together with `type` alone, and a reference asks for an object. Said so that
 * validators understand it.
 */
function withNullableReferences(document: OpenAPIObject): OpenAPIObject {
  return JSON.parse(
    JSON.stringify(document, (_, value: unknown) => {
      if (typeof value !== 'object' || value === null || !('nullable' in value) || !('allOf' in value)) return value;
      const { nullable, allOf, type: _object, ...rest } = value as Record<string, unknown>;
      return nullable ? { ...rest, anyOf: [...(allOf as object[]), { enum: [null] }] } : value;
    }),
  ) as OpenAPIObject;
}

/**
 * A handler with two paths has one set of metadata for both: each path keeps what is in it, and has the rest in the body alone. The ref
 * of the trigger call is in one of its two URLs.
 */
function pathsOnTheirOwn(shared: OpenAPIObject['paths']): OpenAPIObject['paths'] {
  const paths = structuredClone(shared);
  for (const [path, operations] of Object.entries(paths)) {
    for (const operation of Object.values(operations as Record<string, Operation>)) {
      const inPath = (name: string) => path.includes(`{${name}}`);
      operation.parameters = operation.parameters?.filter((each) => each.in !== 'path' || inPath(each.name));
      const isSent = (name: string) => operation.parameters?.some((each) => each.name === name);
      const { 200: list } = operation.responses;
      if (list && isSent('per_page')) list.headers = pageHeaders(!isSent('cursor'));
      for (const { schema } of Object.values(operation.requestBody?.content ?? {})) {
        schema.properties = Object.fromEntries(Object.entries(schema.properties).filter(([name]) => !inPath(name)));
        if (schema.required) schema.required = schema.required.filter((name) => !inPath(name));
        if (schema.required?.length === 0) delete schema.required;
      }
    }
  }
  return paths;
}

/**
 * The headers of a list (trigger-api.md §0.4).
 * @param always whether there are any where the list goes by a cursor
 */
function pageHeaders(always: boolean): object {
  const header = (type: 'integer' | 'string', description: string, required = always) => ({
    description,
    required,
    schema: { type },
  });
  return {
    'X-Page': header('integer', 'This page, from 1'),
    'X-Per-Page': header('integer', 'Entries on a page'),
    'X-Next-Page': header('string', 'Blank on the last page'),
    'X-Prev-Page': header('string', 'Blank on the first page'),
    'X-Total': header('integer', 'Entries in all, where they are counted', false),
    'X-Total-Pages': header('integer', 'Pages in all, where they are counted', false),
    Link: header('string', 'URLs of the previous, next, first and last page, as far as there are such'),
  };
}

/** An operation as `describeHandler` writes it. */
interface Operation {
  responses: Record<string, { headers?: object }>;
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: { properties: Record<string, unknown>; required?: string[] } }> };
}

const described = new WeakSet<Function>();

/** Adds to a handler's Swagger metadata what would otherwise have to be written twice. Classes outlive applications, so once is enough. */
function describeHandler({ controller, name, handler, method, paths, need }: HandlerMethod): void {
  if (described.has(handler)) return;
  described.add(handler);
  const prototype = controller.prototype as object;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name) ?? { value: handler };
  const apply = (...decorators: MethodDecorator[]) => {
    for (const decorate of decorators) decorate(prototype, name, descriptor);
  };

  const inPath = [...new Set(paths.flatMap(pathNames))];
  const parameters = documentedParameters(prototype, name).flatMap((type) => declaredParameters(type));
  apply(
    ...inPath.map((step) =>
      pathParameter(
        step,
        parameters.find((each) => each.name === step),
      ),
    ),
  );
  const others = parameters.filter(({ name: each }) => !paths.every((path) => pathNames(path).includes(each)));
  apply(ApiExtraModels(...others.flatMap(({ kind }) => kind.itemClass ?? [])));
  if (!bodyMethods.has(method)) apply(...others.map(queryParameter));
  else if (others.length > 0) apply(bodyOf(others));

  // An endpoint that has its own words for one of them says so itself.
  const declared = (Reflect.getMetadata(answersMetadata, handler) ?? {}) as Record<string, unknown>;
  apply(MayRefuse(refusalsOf({ method, need }).filter((status) => !(status in declared))));
  if (!need || need.need === 'nothing') return;
  if (need.need === 'job') return apply(ApiSecurity('job token'));
  apply(
    ...['bearer', 'private token', 'session'].map((each) => ApiSecurity(each)),
    ...(need.jobToken ? [ApiSecurity('job token')] : []),
  );
}

/** What is refused before a handler runs: bodies that cannot be read, and callers who may not (trigger-api.md §3.2). */
function refusalsOf({ method, need }: Pick<HandlerMethod, 'method' | 'need'>): number[] {
  const reads = method === RequestMethod.GET;
  return [
    ...(reads ? [] : [413, 415]),
    ...(need && need.need !== 'nothing' ? [401, 403] : []),
    ...(need && isProjectAction(need.need) ? [404, reads ? 301 : 405] : []),
  ];
}

/** What stands for the rest of a path is called `path`. */
function pathNames(path: string): string[] {
  return [...path.matchAll(/:(\w+)|\*/g)].map(([, name = 'path']) => name);
}

function pathParameter(name: string, parameter: Declaration | undefined): MethodDecorator {
  const text = name === 'id' ? 'Number or percent-encoded full path of the project' : undefined;
  return ApiParam({
    name,
    required: true,
    description: parameter?.description ?? text,
    schema: parameter?.kind.schema ?? { type: 'string' },
  });
}

function queryParameter({ name, required, description, example, kind: { schema } }: Declaration): MethodDecorator {
  const list = schema.type === 'array';
  const map = schema.type === 'object';
  return ApiQuery({
    name: list ? `${name}[]` : name,
    required,
    description,
    example,
    schema,
    ...(list ? { style: 'form', explode: true } : {}),
    ...(map ? { style: 'deepObject', explode: true } : {}),
  });
}

/** Not required as a whole: every parameter may be in the query instead. */
function bodyOf(parameters: Declaration[]): MethodDecorator {
  const schema = {
    type: 'object',
    properties: Object.fromEntries(
      parameters.map(({ name, description, example, kind }) => [name, { ...kind.schema, description, example }]),
    ),
    required: parameters.filter(({ required }) => required).map(({ name }) => name),
  };
  return applyDecorators(ApiBody({ required: false, schema }), ApiConsumes(...forms));
}
