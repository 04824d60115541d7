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
  const merged = below.copy();
  for (const [key, value] of above) {
    const covered = below.get(key);
    const both = covered instanceof YamlMap && value instanceof YamlMap;
    merged.take(key, above, both ? deepMerge(covered, value, budget) : value);
  }
  return merged;
}

/** Characters and nodes of a value with everything shared written out; infinite when deeper than allowed. */
export function expandedSize(
  value: Value,
  depth: number,
  known = new Map<Value, { size: number; depth: number }>(),
): number {
  return measure(value, depth, known).size;
}

function measure(
  value: Value,
  room: number,
  known: Map<Value, { size: number; depth: number }>,
): { size: number; depth: number } {
  if (typeof value === 'string') return { size: 1 + value.length, depth: 0 };
  if (!Array.isArray(value) && !(value instanceof YamlMap)) return { size: 1, depth: 0 };
  if (room <= 0) return { size: Infinity, depth: 0 };
  const before = known.get(value);
  if (before) return before.depth > room ? { size: Infinity, depth: 0 } : before;
  let size = 1;
  let deepest = 0;
  for (const child of value.values()) {
    const measured = measure(child, room - 1, known);
    size += measured.size;
    deepest = Math.max(deepest, measured.depth);
  }
  if (value instanceof YamlMap) for (const key of value.keys()) size += 1 + key.length;
  const measured = { size, depth: deepest + 1 };
  known.set(value, measured);
  return measured;
}
