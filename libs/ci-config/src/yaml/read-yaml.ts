import {
  EVENT_ID,
  SCALAR_STYLE,
  YAMLException,
  getScalarValue,
  parseEvents,
  type Event,
  type ScalarEvent,
} from 'js-yaml';
import type { Limits } from '../limits.js';
import { UnspecifiedClass, resolvePlainScalar } from './scalars.js';
import { Float, Reference, YamlMap, isScalar, scalarText, type Value } from './values.js';

/** Text that is not YAML, or not YAML that a configuration may be. `line` counts from 1. */
export class YamlError extends Error {
  constructor(
    message: string,
    readonly line?: number,
  ) {
    super(message);
  }
}

/**
 * Reads all documents of a text in the dialect of ci-config.md §5.1; an empty text has none. Throws YamlError.
 *
 * js-yaml gives the grammar (`parseEvents`) and this file makes the values, where version 5 forced it: a schema of its own
 * can neither merge `<<` at its place in the order of keys (a later `<<` wins), nor ignore unknown tags, nor tell a line for
 * a key, nor count what aliases unfold to. Version 5 also refuses flow collections and quoted texts that continue at a lower
 * indentation, which libyaml accepts and real projects contain: such lines are indented and read again, see `eventsOf`.
 */
export function readYaml(text: string, limits: Limits, keepLines = true): Value[] {
  if (Buffer.byteLength(text) > limits.fileBytes) throw new YamlError('The parsed YAML is too big');
  const { source, events } = eventsOf(text, limits);
  return new Builder(source, events, limits, keepLines).documents();
}

/** Bounds the work of reading again: characters read in all. */
const rereadBudget = 20 * 1024 * 1024;
/** How far back the indentation of the line before is looked for. */
const longestLine = 1_000;

function eventsOf(text: string, limits: Limits): { source: string; events: Event[] } {
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
      const line = mark && mark.line + 1;
      if (error.reason.startsWith('nesting exceeded')) throw new YamlError('The parsed YAML is too big', line);
      const place = mark ? ` at line ${mark.line + 1} column ${mark.column + 1}` : '';
      throw new YamlError(`(<unknown>): ${error.reason}${place}`, line);
    }
  }
}

/** NUL and halves of characters, which only escapes can write: libyaml refuses the halves, and a database both. */
// oxlint-disable-next-line no-control-regex -- that is what is looked for
const unwritable = /\0|\p{Surrogate}/u;

interface Anchored {
  value: Value;
  size: number;
  depth: number;
}

class Builder {
  private next = 0;
  private size = 0;
  private aliases = 0;
  private anchors = new Map<string, Anchored>();
  private lineStarts: number[] | undefined;

  constructor(
    private readonly source: string,
    private readonly events: Event[],
    private readonly limits: Limits,
    private readonly keepLines: boolean,
  ) {}

  documents(): Value[] {
    const documents: Value[] = [];
    while (this.next < this.events.length) {
      this.next += 1;
      this.anchors = new Map();
      documents.push(this.peek().type === EVENT_ID.POP ? null : this.node(0).value);
      this.next += 1;
    }
    return documents;
  }

  private peek(): Event {
    return this.events[this.next] as Event;
  }

  /** The node at the cursor, which moves behind it; with the size and depth it has once aliases are written out. */
  private node(depth: number): Anchored {
    const event = this.peek();
    this.next += 1;
    if (event.type === EVENT_ID.ALIAS) return this.alias(event.anchorStart, event.anchorEnd, depth);
    if (event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP)
      throw new YamlError('Invalid configuration format');
    const before = this.size;
    const tag = event.tagStart < 0 ? '' : this.source.slice(event.tagStart, event.tagEnd);
    let built: { value: Value; depth: number };
    if (event.type === EVENT_ID.SCALAR) built = { value: this.scalar(event, tag), depth: 0 };
    else if (event.type === EVENT_ID.SEQUENCE) built = this.sequence(tag, event.start, depth);
    else built = this.mapping(tag, event.start, depth);
    const anchored = { ...built, size: this.size - before };
    if (event.anchorStart >= 0) this.anchors.set(this.source.slice(event.anchorStart, event.anchorEnd), anchored);
    return anchored;
  }

  private alias(start: number, end: number, depth: number): Anchored {
    const name = this.source.slice(start, end);
    const anchored = this.anchors.get(name);
    // Also the answer to a node that contains itself: its anchor stands only when it is complete.
    if (!anchored) throw new YamlError(`An alias referenced an unknown anchor: ${name}`, this.lineAt(start));
    this.aliases += 1;
    if (this.aliases > this.limits.aliases || depth + anchored.depth > this.limits.depth) this.refuseSize(start);
    this.count(anchored.size, start);
    return anchored;
  }

  private scalar(event: ScalarEvent, tag: string): Value {
    const position = event.valueStart < 0 ? 0 : event.valueStart;
    const text = event.valueStart < 0 ? '' : getScalarValue(this.source, event);
    this.count(1 + text.length, position);
    if (unwritable.test(text)) {
      const line = this.lineAt(position);
      throw new YamlError(
        `(<unknown>): found invalid Unicode character escape code while parsing a quoted scalar at line ${line} column 1`,
        line,
      );
    }
    if (tag === '!reference')
      throw new YamlError(`!reference ${JSON.stringify(text)} is not valid`, this.lineAt(position));
    if (event.style !== SCALAR_STYLE.PLAIN || tag === '!' || tag === '!!str' || tag === '!<tag:yaml.org,2002:str>')
      return text;
    try {
      const value = resolvePlainScalar(text);
      return tag === '!!float' && typeof value === 'number' ? new Float(value) : value;
    } catch (error) {
      if (error instanceof UnspecifiedClass) throw new YamlError(error.message, this.lineAt(position));
      throw error;
    }
  }

  private sequence(tag: string, start: number, depth: number): { value: Value; depth: number } {
    this.count(1, start);
    const items: Value[] = [];
    let deepest = 0;
    while (this.peek().type !== EVENT_ID.POP) {
      const item = this.node(depth + 1);
      deepest = Math.max(deepest, item.depth);
      items.push(item.value);
    }
    this.next += 1;
    if (tag !== '!reference') return { value: items, depth: deepest + 1 };
    if (items.length === 0 || !items.every((item): item is string => typeof item === 'string'))
      throw new YamlError(`!reference ${describeList(items)} is not valid`, this.lineAt(start));
    return { value: new Reference(items), depth: 1 };
  }

  private mapping(tag: string, start: number, depth: number): { value: Value; depth: number } {
    this.count(1, start);
    if (tag === '!reference') throw new YamlError('!reference {} is not valid', this.lineAt(start));
    const map = new YamlMap();
    let deepest = 0;
    while (this.peek().type !== EVENT_ID.POP) {
      const keyStart = startOf(this.peek());
      const key = this.node(depth + 1).value;
      const valueType = this.peek().type;
      const value = this.node(depth + 1);
      deepest = Math.max(deepest, value.depth);
      if (key === '<<' && this.merge(map, value.value, valueType)) continue;
      if (key !== null && !isScalar(key))
        throw new YamlError(
          `(<unknown>): mapping keys must be scalars at line ${this.lineAt(keyStart)} column 1`,
          this.lineAt(keyStart),
        );
      const name = key === null ? '' : scalarText(key);
      map.set(name, value.value);
      if (typeof key !== 'string') map.nonTextKeys.add(name);
      if (this.keepLines) map.lines.set(name, this.lineAt(keyStart));
    }
    this.next += 1;
    return { value: map, depth: deepest + 1 };
  }

  /** `<<` at its place in the order of keys: what stands before it is overwritten, what comes after overwrites (ci-config.md §5.1). */
  private merge(map: YamlMap, value: Value, written: number): boolean {
    if (value instanceof YamlMap) {
      map.addAll(value);
      return true;
    }
    if (written !== EVENT_ID.SEQUENCE || !Array.isArray(value)) return false;
    if (!value.every((item): item is YamlMap => item instanceof YamlMap)) return false;
    const merged = new YamlMap();
    for (const item of value.toReversed()) merged.addAll(item);
    map.addAll(merged);
    return true;
  }

  private count(amount: number, position: number): void {
    this.size += amount;
    if (this.size > this.limits.expandedSize) this.refuseSize(position);
  }

  private refuseSize(position: number): never {
    throw new YamlError('The parsed YAML is too big', this.lineAt(position));
  }

  private lineAt(position: number): number {
    this.lineStarts ??= lineStarts(this.source);
    let low = 0;
    let high = this.lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.lineStarts[middle] as number) <= position) low = middle;
      else high = middle;
    }
    return low + 1;
  }
}

function lineStarts(source: string): number[] {
  const starts = [0];
  for (const match of source.matchAll(/\r\n|\n|\r/g)) starts.push(match.index + match[0].length);
  return starts;
}

function startOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR) return Math.max(0, event.valueStart);
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart;
  return 'start' in event ? event.start : 0;
}

function describeList(items: readonly Value[]): string {
  return `[${items.map((item) => (typeof item === 'string' ? JSON.stringify(item) : isScalar(item) ? scalarText(item) : '…')).join(', ')}]`;
}
