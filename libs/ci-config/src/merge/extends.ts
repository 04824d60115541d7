import { ConfigError } from '../config-error.js';
import { deepMerge, type MergeBudget } from './deep-merge.js';
import type { Position } from '../yaml/sources.js';
import { YamlMap, type Value } from '../yaml/values.js';

/** Entries with `extends` one behind the other: 11 work, 12 fail (ci-config.md §5.4). */
const longestChain = 11;

interface Resolved {
  map: YamlMap;
  /** Entries with `extends` from here down, this one included. */
  chain: number;
}

/** Applies `extends` to every top-level map that has one, hidden or not. Throws ConfigError with the texts of ci-config.md §5.4. */
export function applyExtends(root: YamlMap, budget: MergeBudget): YamlMap {
  const resolver = new Resolver(root, budget);
  let result: YamlMap | undefined;
  for (const [name, value] of root)
    if (value instanceof YamlMap && value.has('extends'))
      (result ??= root.copy()).set(name, resolver.resolve(name, value, []).map);
  return result ?? root;
}

class Resolver {
  private readonly known = new Map<string, Resolved>();

  constructor(
    private readonly root: YamlMap,
    private readonly budget: MergeBudget,
  ) {}

  resolve(name: string, entry: YamlMap, ancestors: readonly string[]): Resolved {
    if (!entry.has('extends')) return { map: entry, chain: 0 };
    const bases = this.basesOf(name, entry.get('extends') as Value);
    const known = this.known.get(name);
    if (ancestors.length + (known?.chain ?? 1) > longestChain)
      this.fail(ancestors[0] ?? name, 'nesting too deep in `extends`');
    if (ancestors.includes(name)) this.fail(name, 'circular dependency detected in `extends`');
    if (known) return known;
    let merged = new YamlMap();
    let chain = 0;
    for (const base of bases) {
      const below = this.resolve(base.name, base.entry, [...ancestors, name]);
      merged = deepMerge(merged, below.map, this.budget);
      chain = Math.max(chain, below.chain);
    }
    const resolved = { map: deepMerge(merged.copy('extends'), entry, this.budget), chain: chain + 1 };
    this.known.set(name, resolved);
    return resolved;
  }

  private basesOf(name: string, value: Value): { name: string; entry: YamlMap }[] {
    const names = typeof value === 'string' ? [value] : value;
    if (!Array.isArray(names) || !names.every((base): base is string => typeof base === 'string'))
      throw new ConfigError(
        `jobs:${name} extends should be an array of strings or a string`.toLowerCase(),
        [name, 'extends'],
        this.positionOf(name),
      );
    const unknown = names.filter((base) => !this.root.has(base));
    if (unknown.length > 0) this.fail(name, `unknown keys in \`extends\` (${unknown.join(', ')})`);
    const invalid = names.filter((base) => !(this.root.get(base) instanceof YamlMap));
    if (invalid.length > 0) this.fail(name, `invalid base hashes in \`extends\` (${invalid.join(', ')})`);
    return names.map((base) => ({ name: base, entry: this.root.get(base) as YamlMap }));
  }

  private fail(name: string, sentence: string): never {
    throw new ConfigError(`${name}: ${sentence}`, [name, 'extends'], this.positionOf(name));
  }

  private positionOf(name: string): Position | undefined {
    return (this.root.get(name) as YamlMap).positionOf('extends') ?? this.root.positionOf(name);
  }
}
