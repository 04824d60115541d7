import { once } from 'node:events';
import { createServer, type IncomingMessage, request as send, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** A call and all of its answer. */
export interface Exchange {
  method: string;
  /** Of the URL as it was sent, with the query. */
  path: string;
  status: number;
  headers: Headers;
  /** Of an answer in JSON or text; of others the beginning is enough to know that there is something. */
  body: Buffer;
}

/** Of one connection only: whoever sits at its other end is not told by us that it goes on. */
const hopByHop = new Set(['connection', 'keep-alive']);

/**
 * Stands before a gateway and passes everything through, bytes as they are, for whoever calls: a test, curl, git, a client library, a runner.
 * So every answer is seen. When either side goes away, the other one is told.
 */
export class Door {
  /** Told about each answer that came to its end, before the caller has all of it. */
  onExchange: (exchange: Exchange) => void = () => undefined;
  readonly #server = createServer((request, response) => this.#pass(request, response));

  private constructor(private readonly gatewayPort: number) {
    // A runner's request is held for as long as the gateway likes.
    this.#server.requestTimeout = 0;
    // Never closed between two calls: the second one may be on its way just then, and would get no answer though the gateway is well.
    this.#server.keepAliveTimeout = 0;
  }

  /** @param gatewayPort where the gateway listens, or will */
  static async open(gatewayPort: number): Promise<Door> {
    const door = new Door(gatewayPort);
    door.#server.listen(0, '127.0.0.1');
    await once(door.#server, 'listening');
    return door;
  }

  /** Without a slash at the end. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    const { method = 'GET', url: path = '/' } = request;
    const upstream = send({
      host: '127.0.0.1',
      port: this.gatewayPort,
      method,
      path,
      headers: endToEnd(request.rawHeaders),
      // A connection of its own: one that was kept may be dead, and the caller would be told so.
      agent: false,
    });
    upstream.once('response', (answer) => void this.#answer({ method, path }, answer, response));
    upstream.on('error', () => {
      if (!response.headersSent) request.socket.destroy();
    });
    response.once('close', () => upstream.destroy());
    request.pipe(upstream);
  }

  async #answer(
    call: Pick<Exchange, 'method' | 'path'>,
    answer: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { statusCode: status = 0, statusMessage } = answer;
    const headers = new Headers(pairs(answer.rawHeaders));
    const isText = /^(?:application\/json|text\/)/.test(headers.get('content-type') ?? '');
    const seen: Buffer[] = [];
    const tell = () => this.onExchange({ ...call, status, headers, body: Buffer.concat(seen) });
    response.writeHead(status, statusMessage, endToEnd(answer.rawHeaders));
    try {
      await pipeline(
        answer,
        async function* (chunks: AsyncIterable<Buffer>) {
          for await (const chunk of chunks) {
            if (isText || seen.length === 0) seen.push(chunk);
            yield chunk;
          }
          tell();
        },
        response,
      );
    } catch {
      // Somebody went away in the middle; the pipeline has told the other one.
    }
  }
}

function endToEnd(raw: string[]): string[] {
  return pairs(raw)
    .filter(([name]) => !hopByHop.has(name.toLowerCase()))
    .flat();
}

function pairs(raw: string[]): [name: string, value: string][] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[2 * index] ?? '', raw[2 * index + 1] ?? '']);
}
