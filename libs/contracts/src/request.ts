/**
 * A question or an order to a service, carried over the request exchange and answered with a `Reply`. Each subclass is one message: its
 * `pattern` is the routing key, its decorated fields are checked by class-validator on both sides.
 */
export abstract class Request<Reply> {
  /** Only for the compiler: ties the reply's type to the request. Never set. */
  declare protected readonly replyType?: Reply;
}

/** The class of a request: `new` it and fill in the fields. */
export interface RequestClass<Reply> {
  readonly pattern: string;
  new (): Request<Reply>;
}

/** The class of an event: a fact, published under `type` (its routing key, name and version). */
export interface EventClass<Fields extends object = object> {
  readonly type: string;
  /** A hint for whoever listens at this moment: never kept, since who misses it looks again anyway (architecture.md §3, fan-out). */
  readonly lossy?: boolean;
  new (): Fields;
}

/** A message of the given class with the given fields. */
export function message<Fields extends object>(type: new () => Fields, fields: Omit<Fields, 'replyType'>): Fields {
  return Object.assign(new type(), fields);
}
