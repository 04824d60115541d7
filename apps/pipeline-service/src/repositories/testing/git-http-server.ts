import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveUploadPack } from '../clone-server.js';

/** How the server treats a request before git answers it; true when it has dealt with it. */
export type Behaviour = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A remote git host on loopback: `<url>/<name>` serves the repository that `place` puts there. */
export class GitHttpServer {
  readonly requests: IncomingMessage[] = [];
  readonly #repositories = new Map<string, { path: string; behave?: Behaviour }>();
  readonly #server = createServer((request, response) => void this.#handle(request, response));

  static async start(): Promise<GitHttpServer> {
    const server = new GitHttpServer();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  place(name: string, path: string, behave?: Behaviour): string {
    this.#repositories.set(name, { path, behave });
    return `http://127.0.0.1:${this.port}/${name}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(request);
    const repository = this.#repositories.get(request.url!.split('/')[1]!);
    if (repository?.behave?.(request, response)) return;
    if (repository) await serveUploadPack(repository.path, request, response);
    else response.writeHead(404).end();
  }
}

/** Lets in who gives this user and password. */
export function requireBasicAuth(username: string, password: string): Behaviour {
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return (request, response) => {
    if (request.headers.authorization === expected) return false;
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end('no\n');
    return true;
  };
}
