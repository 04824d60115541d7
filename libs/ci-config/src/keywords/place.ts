import { Patterns } from '../expressions/pattern.js';
import { ConfigError } from '../config-error.js';
import type { Position } from '../yaml/sources.js';
import { YamlMap, type Value } from '../yaml/values.js';

/** A fault at a place. */
export interface Fault {
  message: string;
  path: string[];
  position?: Position | undefined;
}

/** Nobody reads more, and each costs a look for its place. */
const faultsAtMost = 1_000;

/** What all places of one configuration share: where faults are noted, and what compiles its patterns. */
export class Checks {
  readonly faults: Fault[] = [];
  private noted = 0;
  readonly patterns = new Patterns();
  private readonly known = new Map<(place: Place) => unknown, Map<Value, unknown>>();

  /**
   * What a reader makes of a place, the second time from memory: aliases, `extends` and references put one value into many jobs.
   * Only what had no fault is kept, for faults name their job.
   */
  once<Result>(read: (place: Place) => Result, place: Place): Result {
    const results = this.known.get(read) ?? new Map<Value, unknown>();
    if (results.has(place.value)) return results.get(place.value) as Result;
    const notedBefore = this.noted;
    const result = read(place);
    if (typeof place.value === 'object' && place.value !== null && this.noted === notedBefore)
      this.known.set(read, results.set(place.value, result));
    return result;
  }

  note(message: string, place: Place): void {
    this.noted += 1;
    if (this.faults.length < faultsAtMost) this.faults.push({ message, path: place.path, position: place.position });
  }

  throwFirst(): void {
    const [first] = this.faults;
    if (first) throw new ConfigError(first.message, first.path, first.position);
  }
}

/**
 * A place in the configuration while it is checked: the value there, how errors name it, and where they are collected.
 * Errors read `jobs:build:rules:rule if invalid expression syntax`: label, blank, sentence, all lower-cased (ci-config.md §7).
 * Label, path and position are worked out only where there is an error.
 */
export class Place {
  private constructor(
    readonly value: Value,
    readonly checks: Checks,
    /** How errors call it after the name of what it stands in; from the root on with `absolute`. */
    private readonly name: string,
    private readonly absolute: boolean,
    private readonly owner: Place | null,
    /** The key under which it stands, or its index in a list. */
    private readonly key: string,
  ) {}

  /** The place where checking begins; `name` is how errors call it, empty for the whole configuration. */
  static root(value: Value, checks = new Checks(), name = ''): Place {
    return new Place(value, checks, name, true, null, '');
  }

  get label(): string {
    const before = this.absolute ? '' : (this.owner?.label ?? '');
    return before === '' ? this.name : `${before}:${this.name}`;
  }

  get path(): string[] {
    return this.owner ? [...this.owner.path, this.key] : [];
  }

  /** Where it was written, or what it stands in. */
  get position(): Position | undefined {
    const { owner } = this;
    if (!owner) return undefined;
    const own = owner.value instanceof YamlMap ? owner.value.positionOf(this.key) : startOf(this.value);
    return own ?? owner.position;
  }

  /** The value under a key; undefined when the key is absent. */
  get(key: string): Value | undefined {
    return this.value instanceof YamlMap ? this.value.get(key) : undefined;
  }

  /** Present and not null. */
  has(key: string): boolean {
    const value = this.get(key);
    return value !== undefined && value !== null;
  }

  /** What stands under a key. `label`: how errors call it, where that is not the way to it. */
  child(key: string, label?: string): Place {
    return new Place(this.get(key) ?? null, this.checks, label ?? key, label !== undefined, this, key);
  }

  /** An item of a list; `kind` is how errors call it (`rule`, `need`). */
  item(kind: string, index: number, value: Value): Place {
    return new Place(value, this.checks, kind, false, this, String(index));
  }

  /** Notes a fault; the root has no label and its children go by their own name. `key` says under which key it lies when the sentence speaks of an attribute. */
  problem(sentence: string, key?: string): void {
    this.exactProblem(`${this.label || 'root'} ${sentence}`.toLowerCase(), key);
  }

  /** Notes a fault whose text stands as it is. */
  exactProblem(message: string, key?: string): void {
    this.checks.note(message, key === undefined ? this : this.child(key));
  }

  /** Notes keys that do not belong here, all in one sentence. */
  checkKeys(allowed: ReadonlySet<string>): void {
    if (!(this.value instanceof YamlMap)) return;
    let unknown: string[] | undefined;
    for (const key of this.value.keys()) if (!allowed.has(key)) (unknown ??= []).push(key);
    if (unknown) this.problem(`config contains unknown keys: ${unknown.join(', ')}`, unknown[0]);
  }

  /** Notes keys that GitLab knows and this server does not act on: refused, because leaving them out would change what runs. */
  refuseKeys(keys: readonly string[]): void {
    for (const key of keys)
      if (this.has(key)) this.exactProblem(`${this.label} ${key} is not supported by this server`, key);
  }
}

function startOf(value: Value): Position | undefined {
  return value instanceof YamlMap ? value.start : undefined;
}
