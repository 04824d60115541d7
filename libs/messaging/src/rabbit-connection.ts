import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@nestjs/common';
import { type ChannelModel, connect } from 'amqplib';
import { describe } from './handler-failure.js';
import { BROKER_LIMIT_MS, within } from './time-limit.js';

/** Between tries, with or without a broker to answer (architecture.md §3). */
const RECONNECT_MS = 1_000;
/** For TCP, TLS and the AMQP handshake together. */
const CONNECT_LIMIT_MS = 5_000;
/** The broker's default of 60 s would leave a dead peer unnoticed for two minutes. */
const HEARTBEAT_S = 10;

/** Says that this connection, and no later one, is of no use any more. */
export type GiveUp = (reason: string) => void;

export interface RabbitConnectionOptions {
  url: string;
  /** Shown by the broker's tools. */
  name: string;
  log: Logger;
  /**
   * Opens channels, declares what is needed and subscribes; run again on every new connection. When it rejects, or calls `giveUp` then or later
   * (a channel was closed), the connection is opened anew.
   */
  setUp: (model: ChannelModel, giveUp: GiveUp) => Promise<void>;
  /** Told after each set-up that worked. */
  connected?: () => void;
  /** Told when a connection is gone, also one whose set-up failed. */
  lost?: () => void;
  /** Told when the broker stops or again starts to take what is published. */
  blocked?: (blocked: boolean) => void;
}

/**
 * One connection to RabbitMQ that is kept open: lost, it is opened and set up again, one second between tries.
 *
 * amqplib's own `recovery` was tried and is not used: a connection that dies during set-up has no error listener yet (the process ends by an uncaught
 * exception), one that dies at the end of it is never noticed (channels hang for ever), and a lost channel is not recovered.
 */
export class RabbitConnection {
  readonly #options: RabbitConnectionOptions;
  readonly #url: string;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #model?: ChannelModel;
  #giveUp: GiveUp = () => undefined;
  #lastFailure = '';
  #tried: () => void = () => undefined;

  /** Resolves when the first try has succeeded or failed. Later tries go on either way. */
  readonly firstTry = new Promise<void>((resolve) => {
    this.#tried = resolve;
  });

  /** @throws Error when the URL is none; the URL is not repeated, it holds a password */
  constructor(options: RabbitConnectionOptions) {
    this.#options = options;
    this.#url = withHeartbeat(options.url);
    this.#running = this.#keepOpen();
  }

  /** The connection, when it is open and set up. */
  get model(): ChannelModel | undefined {
    return this.#model;
  }

  /** Disconnects, and stays so. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#giveUp('closed by this process');
    await this.#running;
  }

  async #keepOpen(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const cause = await this.#session().catch((error: unknown) => error);
      this.#tried();
      if (this.#stop.signal.aborted) break;
      this.#tellOnce(describe(cause));
      await sleep(RECONNECT_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  /** Connects, sets up and lasts as long as the connection does. Resolves or rejects with why it ended. */
  async #session(): Promise<unknown> {
    const { name, setUp, connected, lost, blocked } = this.#options;
    const model = await connect(this.#url, {
      noDelay: true,
      keepAlive: true,
      timeout: CONNECT_LIMIT_MS,
      clientProperties: { connection_name: name },
    });
    writeTogether((model.connection as unknown as { stream: Duplex }).stream);
    let giveUp: GiveUp = () => undefined;
    const ended = new Promise<unknown>((resolve) => {
      let cause: unknown;
      model.on('error', (error) => (cause = error));
      model.on('close', (error) => resolve(cause ?? error ?? new Error('the broker closed the connection')));
      giveUp = (reason) => resolve(new Error(reason));
    });
    this.#giveUp = giveUp;
    model.on('blocked', () => blocked?.(true));
    model.on('unblocked', () => blocked?.(false));
    try {
      if (this.#stop.signal.aborted) return undefined;
      const failure = await Promise.race([setUp(model, giveUp).then(() => undefined), ended]);
      if (failure !== undefined) return failure;
      this.#model = model;
      this.#recovered();
      connected?.();
      this.#tried();
      return await ended;
    } finally {
      this.#model = undefined;
      lost?.();
      await within(BROKER_LIMIT_MS, model.close());
    }
  }

  /** An outage of an hour is one line, not 3,600. */
  #tellOnce(failure: string): void {
    if (failure === this.#lastFailure) return;
    this.#lastFailure = failure;
    this.#options.log.warn(`${this.#options.name}: no connection to RabbitMQ, trying every second: ${failure}`);
  }

  #recovered(): void {
    if (this.#lastFailure) this.#options.log.log(`${this.#options.name}: connected to RabbitMQ again`);
    this.#lastFailure = '';
  }
}

/** amqplib hands the frames of a message, and acknowledgements, to the socket one by one; those of one turn shall cost one system call. */
function writeTogether(socket: Duplex): void {
  const write = socket.write.bind(socket) as (chunk: Buffer) => boolean;
  socket.write = (chunk: Buffer): boolean => {
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    return write(chunk);
  };
}

function withHeartbeat(text: string): string {
  if (!URL.canParse(text)) throw new Error('AMQP_URL is not a URL: it should look like amqp://user:password@host:5672');
  const url = new URL(text);
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(HEARTBEAT_S));
  return url.href;
}
