import { getMetadataStorage } from 'class-validator';
import { eventClasses, requestClasses } from './messages.js';
import { nestedClass } from './nested.decorator.js';
import { workQueues } from './work-queues.js';

type Schema = Record<string, unknown>;
type Properties = Map<
  string,
  { optional: boolean; nested: boolean; rules: { name: string; each: boolean; values: unknown[] }[] }
>;

const ref = (kind: string, name: string) => ({ $ref: `#/components/${kind}/${name}` });
const exchange = (name: string, type: string) => ({
  name: `{namespace}.${name}`,
  type,
  durable: true,
  autoDelete: false,
});

/**
 * Describes everything that services say to each other, as AsyncAPI 3.0 (architecture.md §3): names, exchanges and queues, envelopes, and the schema of each
 * message from the decorators of its class.
 *
 * @param sources texts of the files in which the classes are declared, whose comments are what is said about them
 * @param version of Flagfall
 */
export function asyncApi(sources: readonly string[], version: string): object {
  const comments = commentsIn(sources);
  const schemas: Record<string, Schema> = {};
  const channels: Record<string, object> = {};
  const operations: Record<string, object> = {};
  const messages: Record<string, object> = {};
  for (const type of eventClasses) {
    const lossy = 'lossy' in type && type.lossy === true;
    messages[type.name] = messageOf(type, type.type, 'event', comments);
    channels[type.type] = channelOf(type, type.type, exchange('events', 'topic'));
    operations[`say.${type.type}`] = {
      action: 'send',
      channel: { $ref: pointer('channels', type.type) },
      description: lossy
        ? 'A hint: never kept, and heard by whoever listens at this moment.'
        : 'Kept by each service that hears it, in a queue of its own, until that has handled it.',
    };
    describe(type, schemas, comments);
  }
  for (const queue of workQueues) {
    const [service = ''] = queue.split('.', 1);
    const type = queue.slice(service.length + 1);
    operations[`hear.${queue}`] = {
      action: 'receive',
      channel: { $ref: pointer('channels', type) },
      description: `Queue \`{namespace}.${queue}\`, with \`.retry.<ms>\` and \`.parked\` beside it.`,
      bindings: { amqp: { ack: true, bindingVersion: '0.3.0' } },
    };
  }
  for (const type of requestClasses) {
    messages[type.name] = messageOf(type, type.pattern, 'request', comments);
    channels[type.pattern] = channelOf(type, type.pattern, exchange('requests', 'direct'));
    operations[`ask.${type.pattern}`] = {
      action: 'send',
      channel: { $ref: pointer('channels', type.pattern) },
      reply: {
        address: { location: '$message.header#/replyTo', description: 'The property `reply_to` of the request.' },
      },
    };
    describe(type, schemas, comments);
  }
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'What the services of Flagfall say to each other',
      version,
      description:
        'All names begin with the installation’s NAMESPACE (`flagfall`). Events are published with confirms to a topic exchange, requests are transient and expire with their caller’s deadline. Optional fields may be null or left out, and unknown ones are ignored.',
    },
    defaultContentType: 'application/json',
    servers: {
      broker: { host: 'localhost:5672', protocol: 'amqp', protocolVersion: '0-9-1', description: 'AMQP_URL' },
    },
    channels,
    operations,
    components: { messages, schemas, messageTraits: traits },
  };
}

/** CloudEvents 1.0 in binary mode; several events of one type may share an AMQP message as `application/cloudevents-batch+json`. */
const traits = {
  event: {
    description:
      'A CloudEvents 1.0 event in binary mode. Several of one type may share an AMQP message as `application/cloudevents-batch+json`; then the attributes stand in the body.',
    headers: {
      type: 'object',
      required: [
        'installation',
        'cloudEvents:specversion',
        'cloudEvents:id',
        'cloudEvents:source',
        'cloudEvents:type',
        'cloudEvents:time',
      ],
      properties: {
        installation: { type: 'string', format: 'uuid', description: 'Messages of another installation are refused.' },
        'cloudEvents:specversion': { const: '1.0' },
        'cloudEvents:id': { type: 'string' },
        'cloudEvents:source': { type: 'string', examples: ['/gateway'] },
        'cloudEvents:type': { type: 'string', description: 'The routing key.' },
        'cloudEvents:time': { type: 'string', format: 'date-time' },
        'cloudEvents:subject': { type: 'string' },
        traceparent: { type: 'string', description: 'W3C trace context.' },
        attempt: { type: 'integer', minimum: 2, description: 'Of a message that failed before.' },
      },
    },
  },
  request: {
    description: 'A question or an order, with a correlation id and an address for the answer among its properties.',
    headers: {
      type: 'object',
      required: ['installation'],
      properties: {
        installation: { type: 'string', format: 'uuid', description: 'Messages of another installation are refused.' },
        traceparent: { type: 'string', description: 'W3C trace context.' },
      },
    },
  },
};

function pointer(kind: string, name: string): string {
  return `#/${kind}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function channelOf({ name }: Function, address: string, to: object): object {
  return {
    address,
    messages: { [name]: ref('messages', name) },
    bindings: { amqp: { is: 'routingKey', exchange: to, bindingVersion: '0.3.0' } },
  };
}

function messageOf({ name }: Function, key: string, trait: 'event' | 'request', comments: Map<string, string>): object {
  const description = comments.get(name);
  return {
    name: key,
    title: name,
    ...(description && { description }),
    contentType: 'application/json',
    payload: ref('schemas', name),
    traits: [ref('messageTraits', trait)],
  };
}

/** Adds the schema of a class, and of those that it is made of. */
function describe(type: Function, schemas: Record<string, Schema>, comments: Map<string, string>): void {
  if (schemas[type.name]) return;
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  const description = comments.get(type.name);
  schemas[type.name] = { type: 'object', ...(description && { description }), required, properties };
  for (const [name, { optional, nested, rules }] of propertiesOf(type)) {
    const part = nested ? nestedClass(type, name) : undefined;
    if (part) describe(part, schemas, comments);
    const schema = part ? ref('schemas', part.name) : schemaOf(rules);
    properties[name] = optional ? orNull(schema) : schema;
    if (!optional) required.push(name);
  }
}

function propertiesOf(type: Function): Properties {
  const properties: Properties = new Map();
  for (const metadata of getMetadataStorage().getTargetValidationMetadatas(type, '', false, false)) {
    const property = properties.get(metadata.propertyName) ?? { optional: false, nested: false, rules: [] };
    properties.set(metadata.propertyName, property);
    if (metadata.type === 'conditionalValidation') property.optional = true;
    else if (metadata.type === 'nestedValidation') property.nested = true;
    else property.rules.push({ name: metadata.name ?? '', each: metadata.each, values: metadata.constraints ?? [] });
  }
  return properties;
}

function schemaOf(rules: readonly { name: string; each: boolean; values: unknown[] }[]): Schema {
  const own: Schema = {};
  const items: Schema = {};
  for (const { name, each, values } of rules) Object.assign(each ? items : own, wordsFor(name, values));
  return Object.keys(items).length === 0 ? own : { type: 'array', ...own, items };
}

/** @throws Error for a rule that nobody has translated yet */
function wordsFor(rule: string, values: readonly unknown[]): Schema {
  const [first, second] = values;
  switch (rule) {
    case 'isInt':
      return { type: 'integer' };
    case 'isNumber':
      return { type: 'number' };
    case 'isString':
      return { type: 'string' };
    case 'isBoolean':
      return { type: 'boolean' };
    case 'isArray':
      return { type: 'array' };
    case 'isObject':
      return { type: 'object' };
    case 'isUuid':
      return { type: 'string', format: 'uuid' };
    case 'isIso8601':
      return { type: 'string', format: 'date-time' };
    case 'isIn':
      return { enum: [...(first as unknown[])] };
    case 'min':
      return { minimum: first };
    case 'max':
      return { maximum: first };
    case 'isLength':
      return { type: 'string', minLength: first, maxLength: second };
    case 'matches':
      return { type: 'string', pattern: (first as RegExp).source };
    default:
      throw new Error(`asyncapi.ts does not know how to say the rule ${rule}`);
  }
}

function orNull(schema: Schema): Schema {
  if ('enum' in schema) return { ...schema, enum: [...(schema['enum'] as unknown[]), null] };
  if ('type' in schema) return { ...schema, type: [schema['type'], 'null'] };
  return { oneOf: [schema, { type: 'null' }] };
}

/** What stands above each class, as one line of text. */
function commentsIn(sources: readonly string[]): Map<string, string> {
  const comment = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n(?:export )?(?:abstract )?class (\w+)/g;
  return new Map(
    sources.flatMap((source) =>
      [...source.matchAll(comment)].map(([, text = '', name = '']): [string, string] => [
        name,
        text
          .replace(/^\s*\*? ?/gm, ' ')
          .replace(/\s+/g, ' ')
          .trim(),
      ]),
    ),
  );
}
