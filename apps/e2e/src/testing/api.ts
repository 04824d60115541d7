const answerLimitMs = 60_000;

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
  raw?: string | Buffer | undefined;
  /** Ends the call before its answer. */
  signal?: AbortSignal | undefined;
}

export interface Answer {
  status: number;
  headers: Headers;
  /** Parsed where it is JSON, text otherwise, undefined where there is none. */
  body: any;
}

/** Sends a call to the gateway at `url`. @throws Error when there is no answer */
export async function send(url: string, call: Call): Promise<Answer> {
  const { method = 'GET', path, token, headers = {}, signal } = call;
  const limit = AbortSignal.timeout(answerLimitMs);
  const { body, type } = bodyOf(call);
  const answer = await fetch(`${url}${path.startsWith('//') ? path.slice(1) : `/api/v4${path}`}`, {
    method,
    redirect: 'manual',
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
    headers: { ...(token && { 'PRIVATE-TOKEN': token }), ...(type && { 'Content-Type': type }), ...headers },
    body,
  });
  return { status: answer.status, headers: answer.headers, body: await bodyIn(answer) };
}

/**
 * The body of a call that must succeed.
 * @throws Error with what was answered instead
 */
export async function must(url: string, call: Call): Promise<any> {
  const { status, body } = await send(url, call);
  if (status >= 300) throw new Error(`${call.method ?? 'GET'} ${call.path} answered ${status} ${JSON.stringify(body)}`);
  return body;
}

function bodyOf({ json, form, multipart, raw }: Call): { body?: RequestInit['body']; type?: string } {
  if (json !== undefined) return { body: JSON.stringify(json), type: 'application/json' };
  if (form) return { body: new URLSearchParams(form.map(([name, value]): [string, string] => [name, value])) };
  if (raw !== undefined) return { body: typeof raw === 'string' ? raw : new Uint8Array(raw) };
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
