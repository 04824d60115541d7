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
  const size = measure(value, depthAtMost, { looks: looksAtMost }).size;
  const exact = Number.isNaN(size) ? measure(value, depthAtMost, { looks: Infinity, known: new Map() }).size : size;
  if (exact > sizeAtMost) throw new ConfigError('The parsed YAML is too big');
}

interface Measured {
  size: number;
  height: number;
}

interface Measuring {
  looks: number;
  /** Without it a shared node is measured wherever it stands. */
  known?: Map<Value, Measured>;
}

/** The size is infinite for what is too deep, and NaN once there were too many looks. */
function measure(value: Value, room: number, measuring: Measuring): Measured {
  measuring.looks -= 1;
  if (typeof value === 'string') return { size: 1 + value.length, height: 0 };
  if (!Array.isArray(value) && !(value instanceof YamlMap)) return { size: 1, height: 0 };
  if (measuring.looks < 0) return { size: NaN, height: 0 };
  if (room <= 0) return { size: Infinity, height: 0 };
  const before = measuring.known?.get(value);
  if (before) return before.height > room ? { size: Infinity, height: 0 } : before;
  let size = 1;
  let height = 0;
  for (const child of value.values()) {
    const measured = measure(child, room - 1, measuring);
    size += measured.size;
    height = Math.max(height, measured.height);
  }
  if (value instanceof YamlMap) for (const key of value.keys()) size += 1 + key.length;
  const measured = { size, height: height + 1 };
  measuring.known?.set(value, measured);
  return measured;
}
