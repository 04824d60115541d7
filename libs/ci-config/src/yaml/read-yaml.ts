import {
  EVENT_ID,
  SCALAR_STYLE,
  YAMLException,
  getScalarValue,
  parseEvents,
  type Event,
  type ScalarEvent,
} from 'js-yaml';
import { ConfigError } from '../config-error.js';
import type { Limits } from '../limits.js';
import { UnspecifiedClass, resolvePlainScalar } from './scalars.js';
import { Sources, type Position } from './sources.js';
import { Float, Reference, YamlMap, isScalar, scalarText, type Value } from './values.js';

/** Text that is not YAML, or not YAML that a configuration may be. */
export class YamlError extends ConfigError {
  constructor(message: string, position?: Position) {
    super(message, undefined, position);
  }
}

/**
 * Reads all documents of a text in the dialect of ci-config.md §5.1; an empty text has none. Positions of keys go to `sources`,
 * under a name for an included file. Throws YamlError.
 *
 * js-yaml gives the grammar (`parseEvents`) and this file makes the values, where version 5 forced it: a schema of its own
 * can neither merge `<<` at its place in the order of keys (a later `<<` wins), nor ignore unknown tags, nor tell a line for
 * a key, nor count what aliases unfold to. Version 5 also refuses flow collections and quoted texts that continue at a lower
 * indentation, which libyaml accepts and real projects contain: such lines are indented and read again, see `eventsOf`.
 */
export function readYaml(text: string, limits: Limits, sources = new Sources(), name?: string): Value[] {
  if (Buffer.byteLength(text) > limits.fileBytes) throw new YamlError('The parsed YAML is too big');
  const { source, events } = eventsOf(text, limits, sources, name);
  return new Builder(source, events, limits, sources.add(source, name)).documents();
}

/** Bounds the work of reading again: characters read in all. */
const rereadBudget = 20 * 1024 * 1024;
/** How far back the indentation of the line before is looked for. */
const longestLine = 1_000;

function eventsOf(
  text: string,
  limits: Limits,
  sources: Sources,
  name: string | undefined,
): { source: string; events: Event[] } {
  let source = text;
  let budget = rereadBudget;
  let last = { line: -1, blanks: 0 };
  for (;;) {
    try {
      return { source, events: parseEvents(source, { maxDepth: limits.depth }) };
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error;
      budget -= source.length;
      const { mark } = error;
      if (error.reason === 'deficient indentation' && mark && budget > 0) {
        // As deep as the line before; when that is not enough, twice as deep.
        const lineStart = mark.position - mark.column;
        const before =
          /(?:^|\n)( *)[^\n]*\r?\n?$/.exec(source.slice(Math.max(0, lineStart - longestLine), lineStart))?.[1] ?? '';
        last = { line: mark.line, blanks: mark.line === last.line ? last.blanks * 2 : before.length || 1 };
        source = `${source.slice(0, lineStart)}${' '.repeat(last.blanks)}${source.slice(lineStart)}`;
        continue;
      }
      const position = mark ? sources.add(source, name) + mark.position : undefined;
      if (error.reason.startsWith('nesting exceeded')) throw new YamlError('The parsed YAML is too big', position);
      const place = mark ? ` at line ${mark.line + 1} column ${mark.column + 1}` : '';
      throw new YamlError(`(<unknown>): ${error.reason}${place}`, position);
    }
  }
}

/** NUL and halves of characters, which only escapes can write: libyaml refuses the halves, and a database both. */
// oxlint-disable-next-line no-control-regex -- that is what is looked for
const unwritable = /\0|\p{Surrogate}/u;

interface Anchored {
  value: Value;
  size: number;
  height: number;
}

class Builder {
  private next = 0;
  /** Characters and nodes so far, aliases written out. */
  private size = 0;
  /** Levels below the node that was built last, which is 0 for a scalar. */
  private height = 0;
  private aliases = 0;
  private anchors = new Map<string, Anchored>();

  constructor(
    private readonly source: string,
    private readonly events: Event[],
    private readonly limits: Limits,
    private readonly start: Position,
  ) {}

  documents(): Value[] {
    const documents: Value[] = [];
    while (this.next < this.events.length) {
      this.next += 1;
      this.anchors = new Map();
      documents.push(this.peek().type === EVENT_ID.POP ? null : this.node(0));
      this.next += 1;
    }
    return documents;
  }

  private peek(): Event {
    return this.events[this.next] as Event;
  }

  /** The node at the cursor, which moves behind it; `height` is its own then. */
  private node(depth: number): Value {
    const event = this.peek();
    this.next += 1;
    if (event.type === EVENT_ID.ALIAS) return this.alias(event.anchorStart, event.anchorEnd, depth);
    if (event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP)
      throw new YamlError('Invalid configuration format');
    const before = this.size;
    const tag = event.tagStart < 0 ? '' : this.source.slice(event.tagStart, event.tagEnd);
    let value: Value;
    if (event.type === EVENT_ID.SCALAR) value = this.scalar(event, tag);
    else if (event.type === EVENT_ID.SEQUENCE) value = this.sequence(tag, event.start, depth);
    else value = this.mapping(tag, event.start, depth);
    if (event.anchorStart >= 0)
      this.anchors.set(this.source.slice(event.anchorStart, event.anchorEnd), {
        value,
        size: this.size - before,
        height: this.height,
      });
    return value;
  }

  private alias(start: number, end: number, depth: number): Value {
    const name = this.source.slice(start, end);
    const anchored = this.anchors.get(name);
    // Also the answer to a node that contains itself: its anchor stands only when it is complete.
    if (!anchored) throw new YamlError(`An alias referenced an unknown anchor: ${name}`, this.start + start);
    this.aliases += 1;
    if (this.aliases > this.limits.aliases || depth + anchored.height > this.limits.depth) this.refuseSize(start);
    this.count(anchored.size, start);
    this.height = anchored.height;
    return anchored.value;
  }

  private scalar(event: ScalarEvent, tag: string): Value {
    const position = event.valueStart < 0 ? 0 : event.valueStart;
    const text = event.valueStart < 0 ? '' : getScalarValue(this.source, event);
    this.count(1 + text.length, position);
    if (event.style !== SCALAR_STYLE.PLAIN && unwritable.test(text)) {
      const line = this.source.slice(0, position).split('\n').length;
      throw new YamlError(
        `(<unknown>): found invalid Unicode character escape code while parsing a quoted scalar at line ${line} column 1`,
        this.start + position,
      );
    }
    this.height = 0;
    if (tag === '!reference')
      throw new YamlError(`!reference ${JSON.stringify(text)} is not valid`, this.start + position);
    if (event.style !== SCALAR_STYLE.PLAIN || tag === '!' || tag === '!!str' || tag === '!<tag:yaml.org,2002:str>')
      return text;
    try {
      const value = resolvePlainScalar(text);
      return tag === '!!float' && typeof value === 'number' ? new Float(value) : value;
    } catch (error) {
      if (error instanceof UnspecifiedClass) throw new YamlError(error.message, this.start + position);
      throw error;
    }
  }

  private sequence(tag: string, start: number, depth: number): Value {
    this.count(1, start);
    const items: Value[] = [];
    let highest = 0;
    while (this.peek().type !== EVENT_ID.POP) {
      items.push(this.node(depth + 1));
      highest = Math.max(highest, this.height);
    }
    this.next += 1;
    this.height = highest + 1;
    if (tag !== '!reference') return items;
    if (items.length === 0 || !items.every((item): item is string => typeof item === 'string'))
      throw new YamlError(`!reference ${describeList(items)} is not valid`, this.start + start);
    this.height = 1;
    return new Reference(items, this.start + start);
  }

  private mapping(tag: string, start: number, depth: number): Value {
    this.count(1, start);
    if (tag === '!reference') throw new YamlError('!reference {} is not valid', this.start + start);
    const map = new YamlMap();
    let highest = 0;
    while (this.peek().type !== EVENT_ID.POP) {
      const keyStart = startOf(this.peek());
      const key = this.node(depth + 1);
      const valueType = this.peek().type;
      const value = this.node(depth + 1);
      highest = Math.max(highest, this.height);
      if (key === '<<' && this.merge(map, value, valueType)) continue;
      if (key !== null && !isScalar(key))
        throw new YamlError(`(<unknown>): mapping keys must be scalars`, this.start + keyStart);
      map.place(key === null ? '' : scalarText(key), value, this.start + keyStart, typeof key === 'string');
    }
    this.next += 1;
    this.height = highest + 1;
    return map;
  }

  /** `<<` at its place in the order of keys: what stands before it is overwritten, what comes after overwrites (ci-config.md §5.1). */
  private merge(map: YamlMap, value: Value, written: number): boolean {
    if (value instanceof YamlMap) {
      map.placeAll(value);
      return true;
    }
    if (written !== EVENT_ID.SEQUENCE || !Array.isArray(value)) return false;
    if (!value.every((item): item is YamlMap => item instanceof YamlMap)) return false;
    const merged = new YamlMap();
    for (const item of value.toReversed()) merged.placeAll(item);
    map.placeAll(merged);
    return true;
  }

  private count(amount: number, position: number): void {
    this.size += amount;
    if (this.size > this.limits.expandedSize) this.refuseSize(position);
  }

  private refuseSize(position: number): never {
    throw new YamlError('The parsed YAML is too big', this.start + position);
  }
}

function startOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR) return Math.max(0, event.valueStart);
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart;
  return 'start' in event ? event.start : 0;
}

function describeList(items: readonly Value[]): string {
  return `[${items.map((item) => (typeof item === 'string' ? JSON.stringify(item) : isScalar(item) ? scalarText(item) : '…')).join(', ')}]`;
}
