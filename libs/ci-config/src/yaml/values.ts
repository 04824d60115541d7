import type { Position } from './sources.js';

/** What a YAML document is made of after reading. Values are never changed in place, so aliases may share them. */
export type Value = null | boolean | number | bigint | string | Float | Reference | Value[] | YamlMap;

/** A float kept apart from integers, because `1.0` prints as `1.0` (ci-config.md §5.1). */
export class Float {
  constructor(readonly value: number) {}
}

/** `!reference [job, key, …]`, replaced by what it points to after `extends` (ci-config.md §5.5). */
export class Reference {
  constructor(
    readonly path: readonly string[],
    readonly position: Position,
  ) {}
}

/**
 * A mapping in order of first appearance, each key with the position where it was written. A Map, since an object would sort keys
 * like `10` first and trip over `__proto__`.
 */
export class YamlMap extends Map<string, Value> {
  /** In the order of keys. */
  private readonly positions: Position[] = [];
  /** Of keys that were set again. */
  private later: Map<string, Position> | undefined;
  /** Keys that were not text (`on:` is the boolean true) and so cannot name a job. */
  private nonText: Set<string> | undefined;

  /** Sets a key that was written at a position. */
  place(key: string, value: Value, position: Position, isText = true): void {
    const { size } = this;
    this.set(key, value);
    if (this.size > size) this.positions.push(position);
    else (this.later ??= new Map()).set(key, position);
    if (!isText) (this.nonText ??= new Set()).add(key);
  }

  /** Where a key was written; undefined when there is none. Looks through all keys: for errors, not for every key. */
  positionOf(key: string): Position | undefined {
    if (!this.has(key)) return undefined;
    return this.later?.get(key) ?? this.positions[[...this.keys()].indexOf(key)];
  }

  /** Where the first key was written. */
  get start(): Position | undefined {
    return this.positions[0];
  }

  isTextKey(key: string): boolean {
    return !this.nonText?.has(key);
  }

  /** Calls for each key in order. */
  forEachPlaced(take: (key: string, value: Value, position: Position, isText: boolean) => void): void {
    let index = 0;
    // Loops over maps make two objects for each entry, and this is where most entries pass.
    this.forEach((value, key) => {
      take(key, value, this.later?.get(key) ?? (this.positions[index] as Position), this.isTextKey(key));
      index += 1;
    });
  }

  /** A copy, with one key left out if one is named. */
  copy(without?: string): YamlMap {
    const map = new YamlMap();
    this.forEachPlaced((key, value, position, isText) => {
      if (key !== without) map.place(key, value, position, isText);
    });
    return map;
  }

  /** Sets all entries of another map. */
  placeAll(other: YamlMap): void {
    other.forEachPlaced((key, value, position, isText) => this.place(key, value, position, isText));
  }
}

export type Scalar = string | number | bigint | boolean | Float;

export function isScalar(value: Value | undefined): value is Scalar {
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value) || value instanceof Float;
}

export function isInteger(value: Value | undefined): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** Text of a scalar as Ruby prints it (ci-config.md §4.2): `1.0` stays `1.0`, `1.0e+20`, `true`. */
export function scalarText(value: Scalar): string {
  return value instanceof Float ? floatText(value.value) : String(value);
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const magnitude = Math.abs(value);
  if (magnitude >= 1e-4 && magnitude < 1e16) {
    const text = String(value);
    return text.includes('.') ? text : `${text}.0`;
  }
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  return `${digits.includes('.') ? digits : `${digits}.0`}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}
