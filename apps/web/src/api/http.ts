/** What the gateway refused, in its own words. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    /** HTTP status; 0 when there was no answer at all. */
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** A page of a list, with what the pagination headers say (trigger-api.md §0.4). */
export interface Page<Item> {
  items: Item[];
  page: number;
  /** Null on the last page. */
  nextPage: number | null;
  /** Not told for very long lists. */
  total: number | null;
  /** Address of the next page of a list without numbers. */
  next: string | null;
}

type Query = Record<string, string | number | boolean | null | undefined>;

let onSignedOut: () => void = () => undefined;

/** Registers what happens when the session is found to be over. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

/** @throws ApiError */
export async function send(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'The server does not answer. Check the connection and try again.');
  }
  if (response.ok) return response;
  if (response.status === 401 && url !== '/-/session') onSignedOut();
  throw new ApiError(response.status, messageOf(await response.text(), response.status));
}

export async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  return (await (await send('GET', url, undefined, signal)).json()) as T;
}

export async function post<T>(url: string, body?: unknown): Promise<T> {
  return read<T>(await send('POST', url, body));
}

export async function put<T>(url: string, body: unknown): Promise<T> {
  return read<T>(await send('PUT', url, body));
}

export async function remove(url: string): Promise<void> {
  await send('DELETE', url);
}

export async function page<Item>(url: string, signal?: AbortSignal): Promise<Page<Item>> {
  const response = await send('GET', url, undefined, signal);
  const number = (name: string): number | null => Number(response.headers.get(name) || '0') || null;
  return {
    items: (await response.json()) as Item[],
    page: number('x-page') ?? 1,
    nextPage: number('x-next-page'),
    total: response.headers.has('x-total') ? Number(response.headers.get('x-total')) : null,
    next: nextLink(response.headers.get('link')),
  };
}

async function read<T>(response: Response): Promise<T> {
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** Path and query of the `rel="next"` link; the host is the one that served this page. */
export function nextLink(header: string | null): string | null {
  const link = header?.split(/,\s*(?=<)/).find((part) => part.includes('rel="next"'));
  const address = /<([^>]+)>/.exec(link ?? '')?.[1];
  if (!address) return null;
  const { pathname, search } = new URL(address, 'http://here');
  return pathname + search;
}

/** A URL of the API; parameters that are empty are left out. */
export function api(path: string, query: Query = {}): string {
  return url(`/api/v4/${path}`, query);
}

/** The same for any path. */
export function url(path: string, query: Query = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const search = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString();
  return search === '' ? path : `${path}?${search}`;
}

/**
 * A sentence for people from an error's body, whose shapes are GitLab's (trigger-api.md §0.5): a text, or messages by field under `message`,
 * or `error` with a description.
 */
export function messageOf(body: string, status: number): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return `The server answered ${status}.`;
  }
  const { message, error, error_description: description } = (parsed ?? {}) as Record<string, unknown>;
  const words = wordsOf(description ?? message ?? error);
  return words.length > 0 ? words.join('. ') : `The server answered ${status}.`;
}

function wordsOf(value: unknown, field = ''): string[] {
  if (typeof value === 'string') return [field === '' || field === 'base' ? value : `${capital(field)} ${value}`];
  if (Array.isArray(value)) return value.flatMap((item) => wordsOf(item, field));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, inner]) => wordsOf(inner, name));
  return [];
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ');
}
