import { ConfigError } from '../config-error.js';
import { Reference, YamlMap, type Value } from '../yaml/values.js';

/** References that lead to references; real files use two or three. */
const longestChain = 50;

/** Levels that lists and maps may reach while references are put in; the exact bound is checked on the result. */
const deepest = 200;

/**
 * Replaces every `!reference` by what it points to in the merged file (ci-config.md §5.5): inside a list it becomes a list in
 * the list, which scripts, rules and stages flatten later. Throws ConfigError for targets that are absent or circular.
 */
export function resolveReferences(root: YamlMap): YamlMap {
  return new Resolver(root).root();
}

class Resolver {
  /** Results are shared, so that references to references do not multiply. */
  private readonly targets = new Map<string, Value>();
  private readonly changed = new Map<Value, Value>();
  /** The entry of the file that is worked on. */
  private entry = '';

  constructor(private readonly file: YamlMap) {}

  root(): YamlMap {
    let result = this.file;
    for (const [name, value] of this.file) {
      this.entry = name;
      const resolved = this.inside(value, [], 1);
      if (resolved === value) continue;
      if (result === this.file) result = result.copy();
      result.set(name, resolved);
    }
    return result;
  }

  private inside(value: Value, open: readonly string[], level: number): Value {
    // Most values are texts.
    if (typeof value !== 'object' || value === null) return value;
    if (level > deepest) throw new ConfigError('The parsed YAML is too big');
    if (value instanceof Reference) return this.target(value, open, level);
    if (!Array.isArray(value) && !(value instanceof YamlMap)) return value;
    const known = this.changed.get(value);
    if (known !== undefined) return known;
    const result = Array.isArray(value) ? this.list(value, open, level + 1) : this.map(value, open, level + 1);
    // Most hold no reference, and looking again is cheaper than remembering them all; the size of the whole is bounded already.
    if (result !== value) this.changed.set(value, result);
    return result;
  }

  private list(list: Value[], open: readonly string[], level: number): Value[] {
    let result = list;
    for (let index = 0; index < list.length; index += 1) {
      const resolved = this.inside(list[index] as Value, open, level);
      if (resolved === list[index]) continue;
      if (result === list) result = [...list];
      result[index] = resolved;
    }
    return result;
  }

  private map(map: YamlMap, open: readonly string[], level: number): YamlMap {
    let result = map;
    map.forEach((value, key) => {
      const resolved = this.inside(value, open, level);
      if (resolved === value) return;
      if (result === map) result = map.copy();
      result.set(key, resolved);
    });
    return result;
  }

  private target(reference: Reference, open: readonly string[], level: number): Value {
    const name = JSON.stringify(reference.path).replaceAll('","', '", "');
    const known = this.targets.get(name);
    if (known !== undefined) return known;
    if (open.includes(name) || open.length >= longestChain) this.fail(reference, `${name} is part of a circular chain`);
    let value: Value | undefined = this.file;
    for (const key of reference.path) {
      if (value instanceof Reference) value = this.target(value, [...open, name], level);
      value = value instanceof YamlMap ? value.get(key) : undefined;
    }
    if (value === undefined || value === null || value === false) this.fail(reference, `${name} could not be found`);
    const resolved = this.inside(value, [...open, name], level);
    this.targets.set(name, resolved);
    return resolved;
  }

  private fail(reference: Reference, what: string): never {
    throw new ConfigError(`!reference ${what}`, [this.entry], reference.position);
  }
}
