import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pass } from 'node:timers/promises';

/** A network between services and a server that a test can cut, make silent and make slow. Bytes are never reordered or changed. */
export class Cable {
  /** What each byte takes, each way, in milliseconds. */
  delayMs = 0;
  readonly #server = createServer((socket) => this.#join(socket));
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #carries: Promise<void> = Promise.resolve();
  #resume: () => void = () => undefined;

  private constructor(private readonly far: URL) {}

  /** @param url of the server, with host and port */
  static async to(url: string): Promise<Cable> {
    const cable = new Cable(new URL(url));
    cable.#server.listen(0, '127.0.0.1');
    await once(cable.#server, 'listening');
    return cable;
  }

  /** The server's URL, by way of this cable. */
  get url(): string {
    const url = new URL(this.far);
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** Ends every connection, and refuses new ones until it is mended. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Connections stay open, and nothing arrives until it is mended. */
  silence(): void {
    this.#carries = new Promise((resolve) => (this.#resume = resolve));
  }

  mend(): void {
    this.#isCut = false;
    this.delayMs = 0;
    this.#resume();
    this.#carries = Promise.resolve();
  }

  async close(): Promise<void> {
    this.cut();
    this.#resume();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(near: Socket): void {
    if (this.#isCut) return void near.destroy();
    const far = connect(Number(this.far.port), this.far.hostname);
    this.#carry(near, far);
    this.#carry(far, near);
  }

  #carry(from: Socket, to: Socket): void {
    let last: Promise<unknown> = Promise.resolve();
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (bytes) => {
      const due = performance.now() + this.delayMs;
      last = last.then(async () => {
        if (due > performance.now()) await pass(due - performance.now());
        await this.#carries;
        to.write(bytes);
      });
    });
    // What went wrong is told to the other end by the close that follows.
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      void last.then(() => to.destroy());
    });
  }
}
