import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { AMQP_URL } from './broker.js';

/** Stands between a client and the broker, so that a test can break the connection as a network would. */
export class TcpProxy {
  /** How many connections were ever made through it. */
  accepted = 0;
  /** The bytes that the broker has sent on the latest of them. */
  latestBytes = 0;
  readonly #pairs = new Map<Socket, Socket>();
  #cutAfterBytes?: number;

  private constructor(
    private server: Server,
    readonly port: number,
  ) {}

  static async start(port = 0): Promise<TcpProxy> {
    const server = createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address() as { port: number };
    const proxy = new TcpProxy(server, address.port);
    server.on('connection', (client) => proxy.#forward(client));
    return proxy;
  }

  get url(): string {
    const url = new URL(AMQP_URL);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    return url.href;
  }

  /** The next connection is cut when the broker has sent this many bytes: in the middle of whatever the client is doing then. */
  cutNextAfter(bytes: number): void {
    this.#cutAfterBytes = bytes;
  }

  /** Resets every connection. */
  cut(): void {
    for (const [client, broker] of this.#pairs) {
      client.resetAndDestroy();
      broker.resetAndDestroy();
    }
  }

  /** Nothing passes any more, and nobody is told. */
  freeze(): void {
    for (const sockets of this.#pairs) {
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    }
  }

  /** Sends bytes to the clients as if the broker had. */
  inject(bytes: Buffer): void {
    for (const client of this.#pairs.keys()) client.write(bytes);
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  #forward(client: Socket): void {
    this.accepted++;
    const { hostname, port } = new URL(AMQP_URL);
    const broker = connect(Number(port || 5672), hostname);
    client.setNoDelay();
    broker.setNoDelay();
    this.#pairs.set(client, broker);
    client.pipe(broker);
    broker.pipe(client);
    client.on('close', () => this.#pairs.delete(client) && broker.destroy());
    broker.on('close', () => client.destroy());
    client.on('error', () => broker.destroy());
    broker.on('error', () => client.destroy());
    const limit = this.#cutAfterBytes ?? Infinity;
    this.#cutAfterBytes = undefined;
    const ordinal = this.accepted;
    broker.on('data', () => {
      if (ordinal === this.accepted) this.latestBytes = broker.bytesRead;
      if (broker.bytesRead >= limit) client.resetAndDestroy();
    });
  }
}
