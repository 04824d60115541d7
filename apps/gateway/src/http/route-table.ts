import type { FastifyInstance } from 'fastify';

/** One route as the server has it: `GET`, `/api/v4/projects/:id`. */
export interface Route {
  method: string;
  path: string;
}

/** All routes of the server, to tell a wrong method from a wrong path, and for the tests that hold them against the OpenAPI document. */
export class RouteTable {
  readonly #methods = new Map<string, Set<string>>();

  /** Must be called before the first route is made. */
  constructor(server: FastifyInstance) {
    server.addHook('onRoute', ({ method, url }) => {
      const methods = this.#methods.get(url) ?? new Set();
      for (const each of [method].flat()) methods.add(each);
      this.#methods.set(url, methods);
    });
  }

  /** Every route, but those for HEAD, which come with GET. */
  get routes(): Route[] {
    return [...this.#methods].flatMap(([path, methods]) =>
      [...methods].filter((method) => method !== 'HEAD').map((method) => ({ method, path })),
    );
  }

  /** @param path without the query string, still percent-encoded */
  methodsFor(path: string): string[] {
    const segments = path.split('/').filter((segment) => segment !== '');
    const found = [...this.#methods]
      .filter(([pattern]) => matches(pattern, segments))
      .flatMap(([, methods]) => [...methods]);
    return [...new Set(found)].sort();
  }
}

function matches(pattern: string, segments: readonly string[]): boolean {
  const expected = pattern.split('/').filter((segment) => segment !== '');
  const open = expected.at(-1) === '*';
  if (open ? segments.length < expected.length - 1 : segments.length !== expected.length) return false;
  return expected.every((step, index) => step === '*' || step.startsWith(':') || step === segments[index]);
}
