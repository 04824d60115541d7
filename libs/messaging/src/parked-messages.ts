import type { Message } from './message.js';

/** Something that a handler, or the transport before it, gave up on. */
export interface ParkedMessage {
  /** The message's id; of several that share one AMQP message that the broker parked, the first one's; random when it could not be decoded. */
  readonly id: string;
  /** `<service>.<type>`. */
  readonly queue: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly parkedAt: string;
  /** What was parked, one event nearly always; empty when it could not be decoded. */
  readonly messages: readonly Message[];
}

/** What an operator can do with parked messages. Queues are named `<service>.<type>`, such as `pipeline-service.pipeline.triggered.v1`. */
export interface ParkedMessages {
  /** How many there are. @throws PublishFailed `away` without a broker, `unroutable` when there is no such queue */
  count(queue: string): Promise<number>;
  /**
   * The oldest ones, at most `limit` (100 where not given), `offset` of them left out. On RabbitMQ they are invisible to others while being read,
   * and so are those before them.
   * @throws PublishFailed as above
   */
  list(queue: string, limit?: number, offset?: number): Promise<ParkedMessage[]>;
  /** The one with that id, wherever it stands. @throws PublishFailed as above */
  find(queue: string, id: string): Promise<ParkedMessage | undefined>;
  /**
   * Hands one back to its handler as if new; false when there is none with that id. It is parked again if it fails again.
   * @param before gets it before it goes; when that throws, it stays
   */
  replay(queue: string, id: string, before?: BeforeItGoes): Promise<boolean>;
  /** Throws one away; false when there is none with that id. @param before as above */
  drop(queue: string, id: string, before?: BeforeItGoes): Promise<boolean>;
}

export type BeforeItGoes = (message: ParkedMessage) => Promise<void>;

/**
 * Where the in-process bus keeps what it parked: rows in an installation, given to its constructor. RabbitMQ keeps its own in `.parked` queues.
 * Replaying is the bus's part (it has the handlers), so a store only stores.
 */
export interface ParkedStore {
  /** Keeps a message; one with the same queue and id is replaced. */
  park(message: Message, queue: string, reason: string): Promise<void>;
  count(queue: string): Promise<number>;
  /** The oldest first. */
  list(queue: string, limit: number, offset: number): Promise<ParkedMessage[]>;
  find(queue: string, id: string): Promise<ParkedMessage | undefined>;
  /** Whether there was one. */
  drop(queue: string, id: string): Promise<boolean>;
}
