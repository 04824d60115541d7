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
/** More than any file has nodes, each looked at once. */
const noLimit = 2 ** 30 - 1;

/** Throws ConfigError when a value has more characters and nodes, or is deeper, than allowed once everything shared is written out. */
export function checkExpandedSize(value: Value, sizeAtMost: number, depthAtMost: number): void {
  let measure = new Measure(looksAtMost, sizeAtMost);
  measure.take(value, depthAtMost);
  if (measure.gaveUp && !measure.tooBig) {
    measure = new Measure(noLimit, sizeAtMost, new Map());
    measure.take(value, depthAtMost);
  }
  if (measure.tooBig) throw new ConfigError('The parsed YAML is too big');
}

/** Counts in fields that stay small whole numbers: sums with `Infinity` or `NaN` among them would make an object for each node. */
class Measure {
  /** Too many characters and nodes, or too deep. */
  tooBig = false;
  /** There were too many looks, so that nothing is known but `tooBig`. */
  gaveUp = false;
  private size = 0;
  /** Levels of what was measured last. */
  private height = 0;

  /** `known`: without it a shared node is measured wherever it stands. */
  constructor(
    private looks: number,
    private readonly sizeAtMost: number,
    private readonly known?: Map<Value, { size: number; height: number }>,
  ) {}

  take(value: Value, room: number): void {
    this.height = 0;
    this.looks -= 1;
    if (typeof value === 'string') this.add(1 + value.length);
    else if (Array.isArray(value) || value instanceof YamlMap) this.takeAll(value, room);
    else this.add(1);
  }

  private takeAll(value: Value[] | YamlMap, room: number): void {
    if (this.looks < 0) this.gaveUp = true;
    if (room <= 0) this.tooBig = true;
    if (this.gaveUp || this.tooBig) return;
    const before = this.known?.get(value);
    if (before) {
      this.add(before.size);
      this.height = before.height;
      if (before.height > room) this.tooBig = true;
      return;
    }
    const start = this.size;
    this.add(1);
    this.height = (Array.isArray(value) ? this.takeItems(value, room - 1) : this.takeEntries(value, room - 1)) + 1;
    this.known?.set(value, { size: this.size - start, height: this.height });
  }

  private takeItems(list: Value[], room: number): number {
    let height = 0;
    for (let index = 0; index < list.length; index += 1) {
      this.take(list[index] as Value, room);
      if (this.height > height) height = this.height;
    }
    return height;
  }

  private takeEntries(map: YamlMap, room: number): number {
    let height = 0;
    map.forEach((value, key) => {
      this.add(1 + key.length);
      this.take(value, room);
      if (this.height > height) height = this.height;
    });
    return height;
  }

  private add(amount: number): void {
    this.size += amount;
    if (this.size > this.sizeAtMost) {
      this.tooBig = true;
      this.size = 0;
    }
  }
}
