import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';

interface Operation {
  responses: Record<string, { content?: Record<string, unknown> }>;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
}

/** What was answered to which call. */
export interface Told {
  method: string;
  /** Path of the URL as it was sent, without the query. */
  path: string;
  status: number;
  contentType: string | null;
  body: unknown;
}

/** Holds answers against the OpenAPI document of the running gateway. */
export class ApiContract {
  readonly #ajv = new Ajv({ strict: false, allErrors: true });
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #document: Document;
  readonly #templates: { template: string; pattern: RegExp }[];

  private constructor(document: Document) {
    this.#document = document;
    (addFormats as unknown as (ajv: Ajv) => void)(this.#ajv);
    this.#ajv.addSchema(document, 'api');
    this.#templates = Object.keys(document.paths)
      .map((template) => ({ template, pattern: patternOf(template) }))
      .sort((one, other) => one.template.split('{').length - other.template.split('{').length);
  }

  static async of(url: string): Promise<ApiContract> {
    const answer = await fetch(`${url}/api/openapi.json`);
    return new ApiContract((await answer.json()) as Document);
  }

  /** @throws Error when the document does not say that this call may be answered so; calls of unknown routes are nobody's business here */
  check(told: Told): void {
    const operation = this.#operation(told);
    if (!operation) return;
    const { method, path, status, body, contentType } = told;
    const response = operation.responses[status] ? String(status) : 'default';
    const content = operation.responses[response]?.content;
    const fail = (reason: string): never => {
      throw new Error(`${method} ${path} answered ${status}, but the OpenAPI document says otherwise: ${reason}`);
    };
    if (status < 300 && response === 'default') fail(`this status is not described`);
    if (!content) {
      if (body !== undefined && status !== 301) fail('there should be no body');
      return;
    }
    const type = contentType?.split(';')[0] ?? '';
    if (!content[type]) fail(`the content type ${contentType ?? 'none'} is not described`);
    if (type !== 'application/json') return;
    const validate = this.#validator(told.method, operation.template, response);
    if (!validate(body)) fail(`${this.#ajv.errorsText(validate.errors)} in ${JSON.stringify(body).slice(0, 1_000)}`);
  }

  #operation({ method, path }: Told): (Operation & { template: string }) | undefined {
    const verb = method.toLowerCase();
    const found = this.#templates.find(
      ({ template, pattern }) => pattern.test(path) && this.#document.paths[template]?.[verb],
    );
    const operation = found && this.#document.paths[found.template]?.[verb];
    return operation && { ...operation, template: found.template };
  }

  #validator(method: string, template: string, response: string): ValidateFunction {
    const steps = ['paths', template, method.toLowerCase(), 'responses', response];
    const pointer = [...steps, 'content', 'application/json', 'schema']
      .map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/');
    let validate = this.#validators.get(pointer);
    if (!validate) this.#validators.set(pointer, (validate = this.#ajv.compile({ $ref: `api#/${pointer}` })));
    return validate;
  }
}

/** Parameters are one segment each, but for the ref of a webhook URL, which may hold slashes (trigger-api.md §1.2). */
function patternOf(template: string): RegExp {
  const source = template
    .replace(/[.*+?^$()|[\]\\]/g, '\\$&')
    .replace(/\{(\w+)\}/g, (_, name: string) => (name === 'ref' ? '.+' : '[^/]+'));
  return new RegExp(`^${source}/?$`);
}
