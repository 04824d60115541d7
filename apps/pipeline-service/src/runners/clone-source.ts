import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { serveUploadPack } from '../repositories/clone-server.js';

/** The gateway asks for an address when it has a request to pass on. */
const validMs = 60_000;
const graceMs = 5_000;

/** What one address is good for. */
interface Opened {
  mirror: string;
  /** Those that clients of older protocols must see. */
  pins: readonly string[];
  until: number;
}

/**
 * Serves clones of mirrors inside the installation: the bytes go from here to the gateway over HTTP, never over the broker
 * (docs/adr/0008-clones-come-from-the-mirror.md). Who knows an address may make one request; it is only ever told to the gateway.
 */
export class CloneSource {
  readonly #opened = new Map<string, Opened>();
  readonly #server: Server;
  #base = '';

  /** @param host an address or name of this machine; an unspecified one (`0.0.0.0`) listens everywhere, and names an address of this machine */
  constructor(
    private readonly host: string,
    private readonly port: number,
  ) {
    this.#server = createServer((request, response) => {
      const [, capability = ''] = (request.url ?? '').split('/');
      const opened = this.#opened.get(capability);
      this.#opened.delete(capability);
      if (!opened || opened.until < performance.now()) {
        response.writeHead(404, { 'Content-Type': 'text/plain', Connection: 'close' });
        response.end('There is nothing to clone here\n');
        return;
      }
      void serveUploadPack(opened.mirror, request, response, undefined, opened.pins);
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.port, this.host, resolve);
    });
    const { port, address } = this.#server.address() as AddressInfo;
    const reached = address === '0.0.0.0' || address === '::' ? ownAddress() : address;
    this.#base = `http://${isIPv6(reached) ? `[${reached}]` : reached}:${port}`;
  }

  /** The address under which the gateway may make one request for this mirror. */
  open(mirror: string, pins: readonly string[] = []): string {
    const now = performance.now();
    for (const [capability, { until }] of this.#opened) {
      // In the order of their time: the first that is still good ends the search.
      if (until >= now) break;
      this.#opened.delete(capability);
    }
    const capability = randomBytes(20).toString('hex');
    this.#opened.set(capability, { mirror, pins, until: now + validMs });
    return `${this.#base}/${capability}`;
  }

  /** Waits a moment for clones that are under way. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    await Promise.race([closed, delay(graceMs, undefined, { ref: false })]);
    this.#server.closeAllConnections();
    await closed;
  }
}

/** An address that other machines may reach, if there is one. */
function ownAddress(): string {
  const others = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4');
  return others[0]?.address ?? '127.0.0.1';
}
