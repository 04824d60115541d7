import { ConfigError } from '../config-error.js';
import { YamlMap, type Value } from '../yaml/values.js';

/** Bounds the entries that merging copies: a large base that thousands of jobs extend is small as text. */
export class MergeBudget {
  constructor(private left: number) {}

  spend(entries: number): void {
    this.left -= entries;
    if (this.left < 0) throw new ConfigError('The parsed YAML is too big');
  }
}

/**
 * Merges maps recursively, the second winning; everything else (lists, scalars, null) is replaced. The rule of `include` and of
 * `extends` (ci-config.md §5.3, §5.4). Neither argument changes; keys stand in order of first appearance. Throws ConfigError
 * when the budget is spent.
 */
export function deepMerge(below: YamlMap, above: YamlMap, budget: MergeBudget): YamlMap {
  budget.spend(below.size + above.size);
  if (below.size === 0) return above;
  const merged = below.copy();
  above.forEachPlaced((key, value, position, isText) => {
    const covered = below.get(key);
    const both = covered instanceof YamlMap && value instanceof YamlMap;
    merged.place(key, both ? deepMerge(covered, value, budget) : value, position, isText);
  });
  return merged;
}

/** Nodes that are looked at before it is worth remembering what was seen. */
const looksAtMost = 500_000;

/** Throws ConfigError when a value has more characters and nodes, or is deeper, than allowed once everything shared is written out. */
export function checkExpandedSize(value: Value, sizeAtMost: number, depthAtMost: number): void {
  const size = new Measure(looksAtMost).of(value, depthAtMost);
  const exact = Number.isNaN(size) ? new Measure(Infinity, new Map()).of(value, depthAtMost) : size;
  if (exact > sizeAtMost) throw new ConfigError('The parsed YAML is too big');
}

class Measure {
  /** Levels of what was measured last. */
  private height = 0;

  /** `known`: without it a shared node is measured wherever it stands. */
  constructor(
    private looks: number,
    private readonly known?: Map<Value, { size: number; height: number }>,
  ) {}

  /** Characters and nodes; infinite for what is too deep, NaN once there were too many looks. */
  of(value: Value, room: number): number {
    this.height = 0;
    this.looks -= 1;
    if (typeof value === 'string') return 1 + value.length;
    if (!Array.isArray(value) && !(value instanceof YamlMap)) return 1;
    if (this.looks < 0) return NaN;
    if (room <= 0) return Infinity;
    const before = this.known?.get(value);
    if (before) {
      this.height = before.height;
      return before.height > room ? Infinity : before.size;
    }
    let size = 1;
    let height = 0;
    for (const child of value.values()) {
      size += this.of(child, room - 1);
      if (this.height > height) height = this.height;
    }
    if (value instanceof YamlMap) for (const key of value.keys()) size += 1 + key.length;
    this.height = height + 1;
    this.known?.set(value, { size, height: this.height });
    return size;
  }
}
