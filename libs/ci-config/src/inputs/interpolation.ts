import { ConfigError } from '../config-error.js';
import type { Limits } from '../limits.js';
import { expandOnce, type FindVariable } from '../variables/expand-variables.js';
import { YamlMap, type Value } from '../yaml/values.js';
import { valueText } from './value-text.js';

const functionsAtMost = 3;
const longestBlock = 1_024;
/** What putting in an item of a list costs, in characters of a text. */
const charactersPerItem = 16;

interface Interpolating {
  values: ReadonlyMap<string, Value>;
  find: FindVariable;
  limits: Limits;
}

/**
 * Replaces `$[[ inputs.name | function ]]` in all texts and keys of a document (ci-config.md §5.9). Standing alone it keeps its
 * type, and a list as an item of a list is put in item by item; within a text it becomes text. Throws ConfigError.
 */
export function interpolate(content: Value, interpolating: Interpolating): Value {
  return new Interpolation(interpolating).inside(content);
}

class Interpolation {
  /** By what stands between the brackets. */
  private readonly blocks = new Map<string, Value>();
  private left: number;

  constructor(private readonly surroundings: Interpolating) {
    this.left = surroundings.limits.expandedSize;
  }

  /** The depth of the document is bounded already, so this may call itself. */
  inside(value: Value): Value {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.flatMap((item) => this.item(item));
    if (!(value instanceof YamlMap)) return value;
    const result = new YamlMap();
    value.forEachPlaced((key, item, position, isText) => {
      const name = this.text(key);
      result.place(typeof name === 'string' ? name : valueText(name), this.inside(item), position, isText);
    });
    return result;
  }

  /** An item of a list, in a list of its own unless it is a list input. */
  private item(item: Value): Value[] {
    const result = this.inside(item);
    return typeof item === 'string' && Array.isArray(result) ? result : [result];
  }

  private text(text: string): Value {
    const blocks = blocksOf(text);
    const [first] = blocks;
    if (!first) return text;
    if (first.start === 0 && first.end === text.length) return this.spend(this.block(first.content));
    let result = '';
    let from = 0;
    for (const { start, end, content } of blocks) {
      result += text.slice(from, start) + valueText(this.spend(this.block(content)));
      from = end;
    }
    return result + text.slice(from);
  }

  /** A file may put a large input in many places. */
  private spend(value: Value): Value {
    if (Array.isArray(value)) this.left -= charactersPerItem * value.length;
    else this.left -= typeof value === 'string' ? 1 + value.length : 1;
    if (this.left < 0) throw new ConfigError('The parsed YAML is too big');
    return value;
  }

  private block(content: string): Value {
    let value = this.blocks.get(content);
    if (value === undefined) {
      value = this.evaluate(content);
      this.blocks.set(content, value);
    }
    return value;
  }

  private evaluate(content: string): Value {
    const [access = '', ...functions] = content.split('|').map((part) => part.trim());
    if (access.length > longestBlock) throw new ConfigError('maximum interpolation expression size exceeded');
    const [object, name, ...rest] = access.split('.');
    if (name === undefined) throw new ConfigError('invalid interpolation access pattern');
    if (object !== 'inputs') throw new ConfigError(`unknown interpolation key: \`${object}\``);
    const value = this.surroundings.values.get(name);
    if (value === undefined) throw new ConfigError(`unknown interpolation key: \`${name}\``);
    if (rest.length > 0) throw new ConfigError(`unknown interpolation key: \`${rest[0]}\``);
    if (functions.length > functionsAtMost) throw new ConfigError('too many functions in interpolation block');
    return functions.reduce<Value>((result, call) => this.apply(call, result), value);
  }

  private apply(call: string, value: Value): Value {
    const truncate = /^truncate\(\s*(\d{1,9})\s*,\s*(\d{1,9})\s*\)$/.exec(call);
    const name = truncate ? 'truncate' : call;
    if (!['truncate', 'expand_vars', 'posix_escape'].includes(name))
      throw new ConfigError(
        `no function matching \`${call}\`: check that the function name, arguments, and types are correct`,
      );
    if (typeof value !== 'string')
      throw new ConfigError(`invalid input type: ${name} can only be used with string inputs`);
    if (truncate) {
      const [offset, length] = [Number(truncate[1]), Number(truncate[2])];
      return [...value].slice(offset, offset + length).join('');
    }
    if (name === 'posix_escape') return escapeForShell(value);
    const expanded = expandOnce(value, (key) => this.surroundings.find(key)?.value, 'keep');
    if (!expanded.ok) throw new ConfigError(expanded.error);
    return expanded.text;
  }
}

/** `$[[ … ]]` in a text, from left to right; those of a matrix have their time later. */
function blocksOf(text: string): { start: number; end: number; content: string }[] {
  const blocks: { start: number; end: number; content: string }[] = [];
  for (let start = text.indexOf('$[['); start >= 0; start = text.indexOf('$[[', start + 1)) {
    const close = text.indexOf(']]', start + 3);
    if (close < 0) break;
    const content = text.slice(start + 3, close).trim();
    if (content !== '' && !content.startsWith('matrix.')) blocks.push({ start, end: close + 2, content });
    start = close;
  }
  return blocks;
}

/** As a shell reads it back: everything but plain characters behind a backslash, a line break in quotes. */
function escapeForShell(text: string): string {
  if (text === '') return "''";
  return text.replace(/[^A-Za-z0-9_\-.,:+/@\n]/gu, '\\$&').replace(/\n/g, "'\n'");
}
