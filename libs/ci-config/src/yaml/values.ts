/** What a YAML document is made of after reading. Values are never changed in place, so aliases may share them. */
export type Value = null | boolean | number | bigint | string | Float | Reference | Value[] | YamlMap;

/** A float kept apart from integers, because `1.0` prints as `1.0` (ci-config.md §5.1). */
export class Float {
  constructor(readonly value: number) {}
}

/** `!reference [job, key, …]`, replaced by what it points to after `extends` (ci-config.md §5.5). */
export class Reference {
  constructor(readonly path: readonly string[]) {}
}

/** A mapping in order of first appearance. A Map, since an object would sort keys like `10` first and trip over `__proto__`. */
export class YamlMap extends Map<string, Value> {
  /** Line of each key in the file that was given (1 = first); empty for included files. */
  readonly lines = new Map<string, number>();
  /** Keys that were not text (`on:` is the boolean true) and so cannot name a job. */
  readonly nonTextKeys = new Set<string>();

  copy(): YamlMap {
    const map = new YamlMap();
    map.addAll(this);
    return map;
  }

  /** Sets all entries of another map, with their lines. */
  addAll(other: YamlMap): void {
    for (const key of other.keys()) this.take(key, other, other.get(key) as Value);
  }

  /** Sets one entry that stems from another map. */
  take(key: string, from: YamlMap, value: Value): void {
    this.set(key, value);
    const line = from.lines.get(key);
    if (line === undefined) this.lines.delete(key);
    else this.lines.set(key, line);
    if (from.nonTextKeys.has(key)) this.nonTextKeys.add(key);
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
