import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { DataSource } from 'typeorm';
import type { Bus, MessagingStrategy } from '#libs/messaging';
import { type Outbox, poolOf } from '#libs/persistence';
import { inTime } from './in-time.js';
import { version } from './version.js';

/** One value of a metric; its labels come from a fixed set, never from what users send. */
export interface Reading {
  labels?: Record<string, string>;
  value: number;
}

/** Reads values when somebody asks for them; what fails or takes longer than two seconds is left out of that answer. */
export type Read = () => Reading[] | Promise<Reading[]>;

const limitMs = 2_000;

/** What a process tells Prometheus about itself. One for each process, whichever services run in it. */
export class Metrics {
  /** For metrics that are counted as things happen. */
  readonly registry = new Registry();
  readonly #sources = new Map<string, Read[]>();
  #text: Promise<string> | undefined;

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    const build = [{ labels: { version, node: process.version }, value: 1 }];
    this.gauge(
      'flagfall_build_info',
      'Always 1; the version that runs, and the one of Node',
      ['version', 'node'],
      () => build,
    );
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Something that is so much now. Several parts may tell of one metric, with labels of their own. */
  gauge(name: string, help: string, labelNames: string[], read: Read): void {
    if (!this.#isNew(name, read)) return;
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [this.registry],
      labelNames,
      collect: () => this.#collect(name, gauge, ({ labels, value }) => gauge.set(labels ?? {}, value)),
    });
  }

  /** Something that was so much since the process began, and only grows. */
  total(name: string, help: string, labelNames: string[], read: Read): void {
    if (!this.#isNew(name, read)) return;
    const counter: Counter = new Counter({
      name,
      help,
      registers: [this.registry],
      labelNames,
      collect: () => this.#collect(name, counter, ({ labels, value }) => counter.inc(labels ?? {}, value)),
    });
  }

  /** All of it in Prometheus' text format. Those who ask at once share one reading. */
  text(): Promise<string> {
    this.#text ??= this.registry.metrics().finally(() => (this.#text = undefined));
    return this.#text;
  }

  #isNew(name: string, read: Read): boolean {
    const sources = this.#sources.get(name);
    if (sources) sources.push(read);
    else this.#sources.set(name, [read]);
    return sources === undefined;
  }

  async #collect(
    name: string,
    metric: { reset(): void; remove(labels: object): void },
    tell: (reading: Reading) => void,
  ): Promise<void> {
    const readings = await Promise.all((this.#sources.get(name) ?? []).map((read) => inTime(limitMs, read)));
    metric.reset();
    // Without labels, what is reset would be told as 0.
    metric.remove({});
    for (const reading of readings.flatMap((some) => some ?? [])) tell(reading);
  }
}

/** Tells of a service's connections to the database. @param schema the service's */
export function measureDatabase(metrics: Metrics, database: DataSource, schema: string): void {
  metrics.gauge(
    'flagfall_database_connections',
    'Connections of the pool, and callers that wait for one',
    ['schema', 'state'],
    () => {
      const { used, idle, waiting } = poolOf(database);
      return Object.entries({ used, idle, waiting }).map(([state, value]) => ({ labels: { schema, state }, value }));
    },
  );
  metrics.gauge('flagfall_database_connections_limit', 'Connections that the pool may have', ['schema'], () => [
    { labels: { schema }, value: poolOf(database).most },
  ]);
}

/** Tells what waits to be said. @param schema the service's */
export function measureOutbox(metrics: Metrics, outbox: Outbox, schema: string): void {
  metrics.gauge(
    'flagfall_outbox_rows',
    'Events that were committed and are on their way to the broker',
    ['schema'],
    async () => [{ labels: { schema }, value: await outbox.depth() }],
  );
}

/** Tells what became of a service's messages, and what waits in its queues. @param strategy is listening */
export function measureMessages(metrics: Metrics, bus: Bus, strategy: MessagingStrategy): void {
  metrics.total(
    'flagfall_messages_total',
    'Messages that were handled, by what became of them',
    ['queue', 'result'],
    () =>
      strategy.handled.flatMap(({ queue, counts }) =>
        Object.entries(counts).map(([result, value]) => ({ labels: { queue, result }, value })),
      ),
  );
  const queues = strategy.handled.filter(({ kept }) => kept).map(({ queue }) => queue);
  metrics.gauge(
    'flagfall_queue_messages',
    'AMQP messages in a queue that nobody was given, and parked ones',
    ['queue', 'state'],
    async () => {
      const found = await Promise.all(
        queues.map(async (queue) => {
          const [{ waiting }, parked] = await Promise.all([bus.backlog(queue), bus.parked.count(queue)]);
          return [
            { labels: { queue, state: 'waiting' }, value: waiting },
            { labels: { queue, state: 'parked' }, value: parked },
          ];
        }),
      );
      return found.flat();
    },
  );
  metrics.gauge('flagfall_broker_connected', 'Whether messages can be published now', [], () => [
    { value: bus.connected ? 1 : 0 },
  ]);
}
