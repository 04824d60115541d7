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
  const resolver = new Resolver(root);
  const result = resolver.inside(root, [], 0);
  return result as YamlMap;
}

class Resolver {
  /** Results are shared, so that references to references do not multiply. */
  private readonly targets = new Map<string, Value>();
  private readonly visited = new Map<Value, Value>();

  constructor(private readonly root: YamlMap) {}

  inside(value: Value, open: readonly string[], level: number): Value {
    if (level > deepest) throw new ConfigError('The parsed YAML is too big');
    if (value instanceof Reference) return this.target(value, open, level);
    if (!Array.isArray(value) && !(value instanceof YamlMap)) return value;
    const known = this.visited.get(value);
    if (known !== undefined) return known;
    const result = Array.isArray(value) ? this.list(value, open, level + 1) : this.map(value, open, level + 1);
    this.visited.set(value, result);
    return result;
  }

  private list(list: Value[], open: readonly string[], level: number): Value[] {
    const items = list.map((item) => this.inside(item, open, level));
    return items.some((item, index) => item !== list[index]) ? items : list;
  }

  private map(map: YamlMap, open: readonly string[], level: number): YamlMap {
    let result = map;
    for (const [key, value] of map) {
      const resolved = this.inside(value, open, level);
      if (resolved === value) continue;
      if (result === map) result = map.copy();
      result.set(key, resolved);
    }
    return result;
  }

  private target(reference: Reference, open: readonly string[], level: number): Value {
    const name = JSON.stringify(reference.path).replaceAll('","', '", "');
    const known = this.targets.get(name);
    if (known !== undefined) return known;
    const line = this.root.lines.get(reference.path[0] as string);
    if (open.includes(name) || open.length >= longestChain)
      throw new ConfigError(`!reference ${name} is part of a circular chain`, [...reference.path], line);
    let value: Value | undefined = this.root;
    for (const key of reference.path) {
      if (value instanceof Reference) value = this.target(value, [...open, name], level);
      value = value instanceof YamlMap ? value.get(key) : undefined;
    }
    if (value === undefined || value === null || value === false)
      throw new ConfigError(`!reference ${name} could not be found`, [...reference.path], line);
    const resolved = this.inside(value, [...open, name], level);
    this.targets.set(name, resolved);
    return resolved;
  }
}
