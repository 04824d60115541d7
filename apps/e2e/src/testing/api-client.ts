import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';

export interface Answer {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- each test knows what it asked for
  body: any;
}

type Document = Record<string, unknown> & {
  paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
};

/** Calls the API as somebody, and holds every answer against the OpenAPI document. */
export class ApiClient {
  readonly #validators = new Map<string, ValidateFunction>();

  private constructor(
    readonly url: string,
    private readonly token: string | null,
    private readonly document: Document,
    private readonly ajv: Ajv,
  ) {}

  static async connect(url: string, token: string | null): Promise<ApiClient> {
    const document = (await (await fetch(`${url}/api/openapi.json`)).json()) as Document;
    const ajv = new Ajv({ strict: false, allErrors: true });
    (addFormats as unknown as (ajv: Ajv) => void)(ajv);
    ajv.addSchema(document, 'api');
    return new ApiClient(url, token, document, ajv);
  }

  /** The same API as somebody else; null for nobody. */
  as(token: string | null): ApiClient {
    return new ApiClient(this.url, token, this.document, this.ajv);
  }

  /** @param path below /api/v4, with the query; @param body sent as JSON */
  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await fetch(`${this.url}/api/v4${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(this.token !== null && { 'PRIVATE-TOKEN': this.token }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    const read: unknown = text === '' ? null : JSON.parse(text);
    if (text !== '') this.#validate(method, path, answer.status, read);
    return { status: answer.status, headers: answer.headers, body: read };
  }

  #validate(method: string, path: string, status: number, body: unknown): void {
    const route = this.#routeOf(method, path);
    if (!route) return;
    const { responses } = this.document.paths[route]![method.toLowerCase()]!;
    const response = responses[status] ? String(status) : 'default';
    const pointer = [
      'paths',
      route,
      method.toLowerCase(),
      'responses',
      response,
      'content',
      'application/json',
      'schema',
    ];
    const reference = `api#/${pointer.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
    const content = (responses[response] as { content?: unknown } | undefined)?.content;
    if (!content) return;
    let validate = this.#validators.get(reference);
    if (!validate) this.#validators.set(reference, (validate = this.ajv.compile({ $ref: reference })));
    if (!validate(body))
      throw new Error(
        `${method} ${path} answered ${status} with what its description does not say: ${this.ajv.errorsText(validate.errors)}`,
      );
  }

  /** The template that fits, the one with the most fixed parts where several do. */
  #routeOf(method: string, path: string): string | undefined {
    const given = `/api/v4${path.split('?')[0]}`.split('/');
    const fits = (template: string): boolean => {
      const parts = template.split('/');
      return (
        parts.length === given.length && parts.every((part, index) => part.startsWith('{') || part === given[index])
      );
    };
    return Object.keys(this.document.paths)
      .filter((template) => fits(template) && this.document.paths[template]?.[method.toLowerCase()])
      .sort((one, other) => one.split('{').length - other.split('{').length)[0];
  }
}
