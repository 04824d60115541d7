import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import type { Exchange } from './door.js';

interface Response {
  content?: Record<string, unknown>;
  headers?: Record<string, { required?: boolean; schema: { type?: string } }>;
}

interface Operation {
  responses: Record<string, Response>;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
}

/** trigger-api.md §0.1: on every answer. */
const common = {
  'x-content-type-options': /^nosniff$/,
  'x-frame-options': /^SAMEORIGIN$/,
  'content-security-policy': /^default-src 'none'; .*frame-ancestors 'none'$/,
};
/** What the path or the method of a call can be refused with when no operation is described for it (trigger-api.md §0.3). */
const noOperation = [404, 405, 410];
/** A list that is wrong is wrong in each of its entries. */
const mostErrors = 5;

/**
 * Holds answers against the OpenAPI document of the running gateway: every status must be named in it (`default` does not count), every
 * declared header be as declared, every body fit its schema and have no field beside those of the schema.
 */
export class ApiContract {
  readonly #ajv = new Ajv({ strict: false, allErrors: true });
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #document: Document;
  readonly #templates: { template: string; pattern: RegExp }[];

  /** @param document as the gateway gives it */
  constructor(document: object) {
    this.#document = closed(document) as Document;
    (addFormats as unknown as (ajv: Ajv) => void)(this.#ajv);
    this.#ajv.addSchema(this.#document, 'api');
    this.#templates = Object.keys(this.#document.paths)
      .map((template) => ({ template, pattern: patternOf(template) }))
      .sort((one, other) => one.template.split('{').length - other.template.split('{').length);
  }

  /** @param url of a gateway that is ready */
  static async of(url: string): Promise<ApiContract> {
    const answer = await fetch(`${url}/api/openapi.json`);
    return new ApiContract((await answer.json()) as object);
  }

  /** @returns what is wrong with an answer, if anything */
  fault({ method, path, status, headers, body }: Exchange): string | undefined {
    const problem = this.#problem(method, documentedPath(path), status, headers, body);
    if (problem === undefined) return undefined;
    const text = body.toString('utf8').slice(0, 1_000);
    return `${method} ${path} answered ${status} ${text}\n  but the OpenAPI document says otherwise: ${problem}`;
  }

  #problem(method: string, path: string, status: number, headers: Headers, body: Buffer): string | undefined {
    for (const [name, value] of Object.entries(common))
      if (!value.test(headers.get(name) ?? '')) return `every answer has the header ${name}: ${String(value)}`;
    if (isPage(path, headers))
      return [200, 304].includes(status) ? undefined : 'pages and their files are there, or known already';
    const operation = this.#operation(method, path);
    if (!operation) {
      if (!noOperation.includes(status)) return 'there is no such operation';
      return this.#mismatch('#/components/schemas/ParameterError', body);
    }
    const { template, verb, responses } = operation;
    const response = responses[status];
    if (!response) return 'this status is not described';
    const pointer = ['#', 'paths', template, verb, 'responses', String(status)].map(asStep).join('/');
    for (const [name, { required, schema }] of Object.entries(response.headers ?? {})) {
      const value = headers.get(name);
      if (value === null && required) return `the header ${name} is missing`;
      if (value !== null && !this.#ajv.validate(schema, schema.type === 'integer' ? Number(value) : value))
        return `the header ${name} is ${value}`;
    }
    if (method === 'HEAD') return undefined;
    if (!response.content) return body.length === 0 ? undefined : 'there should be no body';
    const type = headers.get('content-type')?.split(';')[0] ?? 'none';
    if (!response.content[type]) return `the content type ${type} is not described`;
    return type === 'application/json' ? this.#mismatch(`${pointer}/content/${asStep(type)}/schema`, body) : undefined;
  }

  #operation(method: string, path: string): (Operation & { template: string; verb: string }) | undefined {
    const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
    const found = this.#templates.find(
      ({ template, pattern }) => pattern.test(path) && this.#document.paths[template]?.[verb],
    );
    const operation = found && this.#document.paths[found.template]?.[verb];
    return operation && { ...operation, template: found.template, verb };
  }

  #mismatch(pointer: string, body: Buffer): string | undefined {
    let validate = this.#validators.get(pointer);
    if (!validate) this.#validators.set(pointer, (validate = this.#ajv.compile({ $ref: `api${pointer}` })));
    if (validate(JSON.parse(body.toString('utf8')))) return undefined;
    return validate.errors
      ?.slice(0, mostErrors)
      .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`)
      .join(', ');
  }
}

/** Pages and their files are not the API's; whoever opens one gets it beside the API's own answers. */
function isPage(path: string, headers: Headers): boolean {
  return headers.get('content-security-policy')?.includes('script-src') === true && !/^\/+(?:api|-)\//.test(path);
}

/** git asks at the repository's URL (architecture.md §5.5); the document cannot say so, since a path has slashes. */
function documentedPath(path: string): string {
  return path
    .replace(/\?.*$/s, '')
    .replace(/^\/(.+)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/, (_, project: string, rest: string) => {
      return `/-/git/${encodeURIComponent(project)}/${rest}`;
    });
}

/** Parameters are one segment each, but for the ref of a webhook URL and the path of a file, which may hold slashes (trigger-api.md §1.2, §4.5). */
function patternOf(template: string): RegExp {
  const source = template
    .replace(/[.*+?^$()|[\]\\]/g, '\\$&')
    .replace(/\{(\w+)\}/g, (_, name: string) => (['ref', 'ref_name', 'path'].includes(name) ? '.+' : '[^/]+'));
  return new RegExp(`^${source}/?$`);
}

/** The document with every object closed that lists its fields: what is not described may not be answered. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  return typeof inner['properties'] === 'object' && inner['type'] === 'object' && !('additionalProperties' in inner)
    ? { ...inner, additionalProperties: false }
    : inner;
}

function asStep(step: string): string {
  return step === '#' ? step : encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'));
}
