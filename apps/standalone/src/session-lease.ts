import { closeStatement, preparedName, renameStatement } from './statement-names.js';

/** One engine: takes one message of the PostgreSQL wire protocol and hands back what it answers, piece by piece. */
export type Engine = (message: Uint8Array, answer: (bytes: Uint8Array) => void) => Promise<void>;

interface Waiting {
  client: number;
  message: Uint8Array;
  answer: (bytes: Uint8Array) => void;
  resolve: (bytes: number) => void;
  reject: (error: Error) => void;
}

const readyForQuery = 'Z'.charCodeAt(0);
const idle = 'I'.charCodeAt(0);
const sync = new Uint8Array(['S'.charCodeAt(0), 0, 0, 0, 4]);
const rollback = new Uint8Array(['Q'.charCodeAt(0), 0, 0, 0, 13, ...Buffer.from('ROLLBACK\0')]);

/**
 * Lends the one session of the embedded database to one client at a time: from a client's first message until the engine says "ready for
 * query, idle", nobody else's message is let in. pglite-socket's own queue lends it for transactions only, so that between one client's
 * Parse and Bind another client's statement can slip in and be executed in its place, and a client that dies after a faulty Parse leaves
 * a session that skips everybody's messages. It has the shape of that queue, which `PGLiteSocketHandler` takes.
 *
 * A client that keeps the session for `silenceMs` without saying anything is reported to `overdue`; whoever is told must disconnect it
 * (which rolls back). Without that, code that waits inside a transaction for another connection's answer would wait for ever.
 */
export class SessionLease {
  private waiting: Waiting[] = [];
  private holder: number | undefined;
  private running = false;
  /** Names of the statements that each client has prepared. */
  private readonly prepared = new Map<number, Set<string>>();
  private silence: NodeJS.Timeout | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly silenceMs: number,
    private readonly overdue: (client: number) => void,
  ) {}

  /** Runs one message of a client when its turn comes; resolves with the number of bytes answered. Order is kept per client. */
  enqueue(client: number, message: Uint8Array, answer: (bytes: Uint8Array) => void): Promise<number> {
    const name = preparedName(message);
    if (name !== undefined) this.prepared.set(client, (this.prepared.get(client) ?? new Set()).add(name));
    return this.push(client, renameStatement(client, message), answer);
  }

  /** Forgets what a client that went away has not been given yet. */
  clearQueueForHandler(client: number): void {
    const gone = this.waiting.filter((item) => item.client === client);
    this.waiting = this.waiting.filter((item) => item.client !== client);
    for (const item of gone) item.reject(new Error('The client has disconnected'));
  }

  /** Takes the session back from a client that went away: rolls back its transaction and gives up its statements. */
  async clearTransactionIfNeeded(client: number): Promise<void> {
    // Sync first: after an error in the extended protocol everything up to it is skipped, the ROLLBACK too.
    const last: Uint8Array[] = this.holder === client ? [sync, rollback] : [];
    const names = [...(this.prepared.get(client) ?? [])];
    this.prepared.delete(client);
    if (names.length > 0) last.push(...names.map((name) => closeStatement(client, name)), sync);
    await Promise.all(last.map((message) => this.push(client, message, () => {})));
  }

  private push(client: number, message: Uint8Array, answer: (bytes: Uint8Array) => void): Promise<number> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ client, message, answer, resolve, reject });
      void this.run();
    });
  }

  private async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    for (let item = this.next(); item; item = this.next()) {
      clearTimeout(this.silence);
      this.holder = item.client;
      const tail = new Tail();
      let bytes = 0;
      try {
        await this.engine(item.message, (chunk) => {
          bytes += chunk.length;
          tail.add(chunk);
          item.answer(chunk);
        });
        item.resolve(bytes);
      } catch (error) {
        item.reject(error as Error);
      }
      if (tail.saysIdle()) this.holder = undefined;
      else this.silence = setTimeout(this.overdue, this.silenceMs, item.client).unref();
    }
    this.running = false;
  }

  private next(): Waiting | undefined {
    const index = this.holder === undefined ? 0 : this.waiting.findIndex((item) => item.client === this.holder);
    return index < 0 ? undefined : this.waiting.splice(index, 1)[0];
  }
}

/**
 * The last six bytes of an answer. An answer never ends in bytes that a user chose: rows are followed by CommandComplete, and texts end in
 * NUL, so these bytes can be trusted to be a whole ReadyForQuery or not one at all.
 */
class Tail {
  private bytes: Uint8Array = new Uint8Array(0);

  add(chunk: Uint8Array): void {
    this.bytes = chunk.length >= 6 ? chunk.slice(-6) : Uint8Array.from([...this.bytes, ...chunk]).slice(-6);
  }

  saysIdle(): boolean {
    const [type, a, b, c, length, status] = this.bytes;
    return type === readyForQuery && a === 0 && b === 0 && c === 0 && length === 5 && status === idle;
  }
}
