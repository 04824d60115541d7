import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveUploadPack } from '../repositories/clone-server.js';

/** A clone takes two requests, and a large one its time; afterwards the address is worth nothing. */
const validMs = 15 * 60_000;

interface Opened {
  mirror: string;
  until: number;
}

/**
 * Serves clones of mirrors inside the installation: the bytes go from here to the gateway over HTTP, never over the broker
 * (docs/adr/0008-clones-come-from-the-mirror.md). Who knows an address may clone; it is only ever told to the gateway.
 */
export class CloneSource {
  readonly #opened = new Map<string, Opened>();
  readonly #server: Server;
  #base = '';

  constructor(
    private readonly host: string,
    private readonly port: number,
  ) {
    this.#server = createServer((request, response) => {
      const [, capability = ''] = (request.url ?? '').split('/');
      const opened = this.#opened.get(capability);
      if (!opened || opened.until < Date.now()) {
        response.writeHead(404, { 'Content-Type': 'text/plain' }).end('There is nothing to clone here\n');
        return;
      }
      void serveUploadPack(opened.mirror, request, response);
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.port, this.host, resolve);
    });
    const { port, address, family } = this.#server.address() as AddressInfo;
    this.#base = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** The address under which the gateway may clone this mirror for a while. */
  open(mirror: string): string {
    const now = Date.now();
    for (const [capability, { until }] of this.#opened) if (until < now) this.#opened.delete(capability);
    const capability = randomBytes(20).toString('hex');
    this.#opened.set(capability, { mirror, until: now + validMs });
    return `${this.#base}/${capability}`;
  }

  async close(): Promise<void> {
    this.#server.closeIdleConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
