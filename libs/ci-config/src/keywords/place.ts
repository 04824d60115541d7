import { Patterns } from '../expressions/pattern.js';
import { ConfigError } from '../config-error.js';
import type { Problem } from '../problem.js';
import { YamlMap, type Value } from '../yaml/values.js';

/**
 * A place in the configuration while it is checked: the value there, how errors name it, and where they are collected.
 * Errors read `jobs:build:rules:rule if invalid expression syntax`: label, blank, sentence, all lower-cased (ci-config.md §7).
 */
export class Place {
  constructor(
    readonly label: string,
    readonly path: readonly string[],
    readonly value: Value,
    readonly problems: Problem[] = [],
    readonly line?: number,
    /** Compiles the patterns of the whole configuration. */
    readonly patterns = new Patterns(),
  ) {}

  /** The value under a key; undefined when the key is absent. */
  get(key: string): Value | undefined {
    return this.value instanceof YamlMap ? this.value.get(key) : undefined;
  }

  /** Present and not null. */
  has(key: string): boolean {
    const value = this.get(key);
    return value !== undefined && value !== null;
  }

  child(key: string, label = this.label === '' ? key : `${this.label}:${key}`): Place {
    return new Place(label, [...this.path, key], this.get(key) ?? null, this.problems, this.lineOf(key), this.patterns);
  }

  /** An item of a list; `kind` is how errors call it (`rule`, `need`). */
  item(kind: string, index: number, value: Value): Place {
    const line = value instanceof YamlMap ? (value.lines.values().next().value ?? this.line) : this.line;
    return new Place(`${this.label}:${kind}`, [...this.path, String(index)], value, this.problems, line, this.patterns);
  }

  /** Notes a fault; the root has no label and its children go by their own name. `key` says under which key it lies when the sentence speaks of an attribute. */
  problem(sentence: string, key?: string): void {
    this.exactProblem(`${this.label || 'root'} ${sentence}`.toLowerCase(), key);
  }

  /** Notes a fault whose text stands as it is. */
  exactProblem(message: string, key?: string): void {
    const line = key === undefined ? this.line : this.lineOf(key);
    this.problems.push({
      message,
      path: key === undefined ? [...this.path] : [...this.path, key],
      ...(line && { line }),
    });
  }

  /** Notes keys that do not belong here, all in one sentence. */
  checkKeys(allowed: readonly string[]): void {
    if (!(this.value instanceof YamlMap)) return;
    const unknown = [...this.value.keys()].filter((key) => !allowed.includes(key));
    if (unknown.length > 0) this.problem(`config contains unknown keys: ${unknown.join(', ')}`, unknown[0]);
  }

  /** Notes keys that GitLab knows and this server does not act on: refused, because leaving them out would change what runs. */
  refuseKeys(keys: readonly string[]): void {
    for (const key of keys)
      if (this.has(key)) this.exactProblem(`${this.label} ${key} is not supported by this server`, key);
  }

  throwFirst(): void {
    const [first] = this.problems;
    if (first) throw new ConfigError(first.message, first.path, first.line);
  }

  private lineOf(key: string): number | undefined {
    return (this.value instanceof YamlMap ? this.value.lines.get(key) : undefined) ?? this.line;
  }
}
