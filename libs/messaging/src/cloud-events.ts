import type { MessageProperties, Options } from 'amqplib';
import { type Message, problemsOf, type Validate } from './message.js';

/** Above these an AMQP message is split. */
const MOST_EVENTS = 200;
const MOST_BYTES = 256 * 1024;

const BATCH = 'application/cloudevents-batch+json';
const JSON_TYPE = 'application/json';

/** An AMQP message, ready to go. */
export interface Envelope {
  readonly ids: readonly string[];
  readonly content: Buffer;
  readonly properties: Options.Publish;
}

/** An AMQP message, or one event of several in it, that no handler may see. */
export interface Undecodable {
  readonly problem: string;
  readonly content: Buffer;
  readonly properties: Options.Publish;
}

interface Serialized {
  readonly message: Message;
  readonly data: string;
  readonly bytes: number;
}

/**
 * Puts events of one type into as few AMQP messages as the limits allow. One event goes in CloudEvents binary mode (attributes as headers `cloudEvents:…`, the data
 * as body), several as a CloudEvents JSON batch.
 */
export function encode(messages: readonly Message[], installation: string): Envelope[] {
  const envelopes: Envelope[] = [];
  let chunk: Serialized[] = [];
  let bytes = 0;
  const close = (): void => {
    if (chunk.length > 0) envelopes.push(toEnvelope(chunk, installation));
    chunk = [];
    bytes = 0;
  };
  for (const message of messages) {
    const data = JSON.stringify(message.data) ?? 'null';
    const one = { message, data, bytes: Buffer.byteLength(data) };
    if (chunk.length === MOST_EVENTS || bytes + one.bytes > MOST_BYTES) close();
    chunk.push(one);
    bytes += one.bytes;
  }
  close();
  return envelopes;
}

function toEnvelope(chunk: readonly Serialized[], installation: string): Envelope {
  const ids = chunk.map(({ message }) => message.id);
  const [first] = chunk;
  if (chunk.length > 1) {
    const events = chunk.map(({ message, data }) => toBatchEvent(message, data));
    return {
      ids,
      content: Buffer.from(`[${events.join(',')}]`),
      properties: { contentType: BATCH, headers: { installation } },
    };
  }
  const { id, source, type, time, subject, correlationId, traceparent } = first!.message;
  const attributes = { specversion: '1.0', id, source, type, time, subject };
  const headers: Record<string, unknown> = { installation };
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) headers[`cloudEvents:${name}`] = value;
  }
  if (traceparent !== undefined) headers.traceparent = traceparent;
  return { ids, content: Buffer.from(first!.data), properties: { contentType: JSON_TYPE, correlationId, headers } };
}

/** CloudEvents attribute names are lower case. The data is spliced in as it is: it was serialized to be measured. */
function toBatchEvent({ id, source, type, time, subject, correlationId, traceparent }: Message, data: string): string {
  const attributes = {
    specversion: '1.0',
    id,
    source,
    type,
    time,
    subject,
    correlationid: correlationId,
    traceparent,
    datacontenttype: JSON_TYPE,
  };
  return `${JSON.stringify(attributes).slice(0, -1)},"data":${data}}`;
}

export interface Expected {
  readonly installation: string;
  readonly type: string;
  readonly validate: Validate;
}

export interface Decoded {
  readonly messages: readonly Message[];
  readonly undecodable: readonly Undecodable[];
}

/** Takes an AMQP message apart, and sorts out what is not of this installation, not of the expected type or not valid. Never throws. */
export function decode(content: Buffer, properties: MessageProperties, expected: Expected): Decoded {
  const headers = headersOf(properties);
  const whole = (problem: string): Decoded => ({
    messages: [],
    undecodable: [{ problem, content, properties: { ...keptProperties(properties), headers } }],
  });
  if (headers.installation !== expected.installation) {
    return whole(
      `it is from another installation (${String(headers.installation)}), this one is ${expected.installation}`,
    );
  }
  let body: unknown;
  try {
    body = JSON.parse(content.toString());
  } catch {
    // The parser's own message quotes the body, which may hold secrets.
    return whole('its body is not JSON');
  }
  if (properties.contentType !== BATCH) {
    const message = fromBinary(body, properties);
    const problem = problemOf(message, expected);
    return problem === undefined ? { messages: [message as Message], undecodable: [] } : whole(problem);
  }
  if (!Array.isArray(body)) return whole('its body is a CloudEvents batch but not a list');
  const messages: Message[] = [];
  const undecodable: Undecodable[] = [];
  for (const event of body as unknown[]) {
    const message = fromBatchEvent(event);
    const problem = problemOf(message, expected);
    if (problem === undefined) messages.push(message as Message);
    else {
      undecodable.push({
        problem,
        content: Buffer.from(JSON.stringify([event])),
        properties: { contentType: BATCH, headers: { installation: expected.installation } },
      });
    }
  }
  return { messages, undecodable };
}

/** Events of a parked AMQP message, as far as they can be read; nothing is checked but their shape. */
export function peek(content: Buffer, properties: MessageProperties): Message[] {
  try {
    const body: unknown = JSON.parse(content.toString());
    const found =
      properties.contentType === BATCH ? (body as unknown[]).map(fromBatchEvent) : [fromBinary(body, properties)];
    return found.filter((message) => shapeProblem(message) === undefined) as Message[];
  } catch {
    return [];
  }
}

export function headersOf(properties: MessageProperties): Record<string, unknown> {
  return { ...(properties.headers as Record<string, unknown> | undefined) };
}

function keptProperties({ contentType, correlationId }: MessageProperties): Options.Publish {
  return { contentType: contentType as string | undefined, correlationId: correlationId as string | undefined };
}

function fromBinary(data: unknown, properties: MessageProperties): Partial<Message> {
  const headers = headersOf(properties);
  const attribute = (name: string): string | undefined => textOf(headers[`cloudEvents:${name}`]);
  return withoutUndefined({
    id: attribute('id'),
    type: attribute('type'),
    source: attribute('source'),
    time: attribute('time'),
    subject: attribute('subject'),
    correlationId: textOf(properties.correlationId),
    traceparent: textOf(headers.traceparent),
    data,
  });
}

function fromBatchEvent(event: unknown): Partial<Message> {
  if (typeof event !== 'object' || event === null) return {};
  const { id, type, source, time, subject, correlationid, traceparent, data } = event as Record<string, unknown>;
  return withoutUndefined({
    id: textOf(id),
    type: textOf(type),
    source: textOf(source),
    time: textOf(time),
    subject: textOf(subject),
    correlationId: textOf(correlationid),
    traceparent: textOf(traceparent),
    data,
  });
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

function shapeProblem(message: Partial<Message>): string | undefined {
  const missing = (['id', 'type', 'source', 'time'] as const).filter((name) => message[name] === undefined);
  return missing.length > 0 ? `it is not a CloudEvents 1.0 event: ${missing.join(', ')} missing` : undefined;
}

function problemOf(message: Partial<Message>, { type, validate }: Expected): string | undefined {
  const problem = shapeProblem(message);
  if (problem) return problem;
  if (message.type !== type) return `its type is ${message.type}, the queue's is ${type}`;
  const problems = problemsOf(validate, type, message.data);
  return problems.length > 0 ? problems.join('; ') : undefined;
}
