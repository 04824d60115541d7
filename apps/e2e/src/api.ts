import { ApiContract } from './api-contract.js';
import type { Installation } from './installation.js';

const answerLimitMs = 30_000;

/** One call of the API; at most one of `json`, `form`, `multipart` and `raw` is its body. */
export interface Call {
  /** GET unless given. */
  method?: string;
  /** Below `/api/v4`, with the query; anything else begins with `//` and stands below the server's root. */
  path: string;
  /** Access token, sent as PRIVATE-TOKEN; nobody is signed in without one. */
  token?: string | undefined;
  headers?: Record<string, string> | undefined;
  json?: unknown;
  /** Sent urlencoded, in this order. */
  form?: readonly (readonly [name: string, value: string])[] | undefined;
  multipart?: readonly (readonly [name: string, value: string])[] | undefined;
  /** A body as it is, under the content type given in `headers`. */
  raw?: string | undefined;
  /** The runner protocol, whose answers its own tests check: they are not described as far as those of the API for people. */
  runnerProtocol?: boolean;
}

export interface Answer {
  status: number;
  headers: Headers;
  /** Parsed where it is JSON, text otherwise, undefined where there is none. */
  // oxlint-disable-next-line typescript/no-explicit-any -- each test knows what it asked for
  body: any;
}

/** Calls an installation over HTTP. Every answer is held against the OpenAPI document, and against what all answers have in common. */
export class Api {
  private constructor(
    private readonly url: string,
    private readonly contract: ApiContract,
  ) {}

  static async of({ url }: Installation): Promise<Api> {
    return new Api(url, await ApiContract.of(url));
  }

  async call(call: Call): Promise<Answer> {
    const { method = 'GET', path, token, headers = {} } = call;
    const below = path.startsWith('//') ? path.slice(1) : `/api/v4${path}`;
    const { body, type } = bodyOf(call);
    const answer = await fetch(`${this.url}${below}`, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(answerLimitMs),
      headers: { ...(token && { 'PRIVATE-TOKEN': token }), ...(type && { 'Content-Type': type }), ...headers },
      body,
    });
    const read = await bodyIn(answer);
    const [pathname = ''] = below.split('?');
    const contentType = answer.headers.get('content-type');
    if (!call.runnerProtocol && method !== 'HEAD')
      this.contract.check({ method, path: pathname, status: answer.status, contentType, body: read });
    checkCommon(method, path, answer);
    return { status: answer.status, headers: answer.headers, body: read };
  }

  /**
   * The body of a call that must succeed.
   * @throws Error with what was answered instead
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  async must(call: Call): Promise<any> {
    const { status, body } = await this.call(call);
    if (status >= 300)
      throw new Error(`${call.method ?? 'GET'} ${call.path} answered ${status} ${JSON.stringify(body)}`);
    return body;
  }
}

function bodyOf({ json, form, multipart, raw }: Call): { body?: string | URLSearchParams | FormData; type?: string } {
  if (json !== undefined) return { body: JSON.stringify(json), type: 'application/json' };
  if (form) return { body: new URLSearchParams(form.map(([name, value]): [string, string] => [name, value])) };
  if (raw !== undefined) return { body: raw };
  if (!multipart) return {};
  const data = new FormData();
  for (const [name, value] of multipart) data.append(name, value);
  return { body: data };
}

async function bodyIn(answer: Response): Promise<unknown> {
  const text = await answer.text();
  if (text === '') return undefined;
  return answer.headers.get('content-type') === 'application/json' ? JSON.parse(text) : text;
}

/** trigger-api.md §0.1 and §0.3: headers of every answer, and bodies that never carry both `message` and `error`. */
function checkCommon(method: string, path: string, answer: Response): void {
  const common = { 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' };
  for (const [name, value] of Object.entries(common))
    if (answer.headers.get(name) !== value) throw new Error(`${method} ${path} answered without ${name}: ${value}`);
}
