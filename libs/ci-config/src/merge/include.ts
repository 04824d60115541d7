import type { ConfigFiles } from '../config-files.js';
import { Patterns } from '../expressions/pattern.js';
import type { Variable } from '../job.js';
import { compileGlob } from '../paths/glob.js';
import { PathMatcher } from '../paths/path-matcher.js';
import { expandOnce } from '../variables/expand-variables.js';
import type { Limits } from '../limits.js';
import { ruleApplies, type RuleCircumstances } from '../rules/rule-conditions.js';
import { readRuleConditions, rulePlaces } from '../rules/read-rule-conditions.js';
import { Place } from '../keywords/place.js';
import { YamlError, readYaml } from '../yaml/read-yaml.js';
import { YamlMap, type Value } from '../yaml/values.js';
import { ConfigError } from '../config-error.js';
import { deepMerge, type MergeBudget } from './deep-merge.js';

/** What was included, and what could not be told yet. */
export interface IncludeReport {
  /** Paths read, in order, each once. */
  files: string[];
  /** Whether variables, changed files or the list of files decided what is included: then a result holds for these only. */
  dependsOnCircumstances: boolean;
  /** Files the caller has not read yet. */
  wantedFiles: string[];
  wantsFileList: boolean;
}

const kinds = ['local', 'project', 'remote', 'template', 'artifact', 'component'] as const;

/**
 * Replaces the key `include` by the merged content of what it names (ci-config.md §5.3): each file with its own includes below
 * it, in order of appearance, and the including file on top. Throws ConfigError. Files not read yet are reported and left out.
 */
export function resolveIncludes(
  root: YamlMap,
  files: ConfigFiles,
  limits: Limits,
  budget: MergeBudget,
  report: IncludeReport,
): YamlMap {
  return new Includer(files, limits, budget, report).resolve(root);
}

class Includer {
  private count = 0;
  private characters = 0;
  private readonly circumstances: RuleCircumstances;

  constructor(
    private readonly files: ConfigFiles,
    private readonly limits: Limits,
    private readonly budget: MergeBudget,
    private readonly report: IncludeReport,
  ) {
    let variables: Map<string, Variable> | undefined;
    const find = (key: string) => {
      this.report.dependsOnCircumstances = true;
      variables ??= new Map(this.files.variables.map((variable) => [variable.key, variable]));
      return variables.get(key);
    };
    const paths = new PathMatcher({ listFiles: () => this.list(), changedFiles: files.changedFiles });
    this.circumstances = { find, lookup: (key) => find(key)?.value, patterns: new Patterns(), paths };
  }

  resolve(root: YamlMap): YamlMap {
    if (!root.has('include')) return root;
    const line = root.lines.get('include');
    const value = root.get('include') as Value;
    let merged = new YamlMap();
    for (const path of this.paths(value, line)) {
      const included = this.read(path, line);
      if (included) merged = deepMerge(merged, included, this.budget);
    }
    const own = root.copy();
    own.delete('include');
    return deepMerge(merged, own, this.budget);
  }

  private *paths(value: Value, line: number | undefined): Generator<string> {
    if (value === null) return;
    for (const entry of Array.isArray(value) ? value.flat() : [value]) {
      const path = this.localPath(entry, line);
      if (path === null) continue;
      const expanded = expandOnce(path, this.circumstances.lookup, 'remove');
      if (!expanded.ok) this.fail(expanded.error, line);
      const location = expanded.text.replace(/^\//, '');
      if (location.includes('*')) yield* this.matching(location);
      else yield location;
    }
  }

  /** Path of a local include whose rules let it in, null when they do not. Everything else is refused. */
  private localPath(entry: Value, line: number | undefined): string | null {
    if (typeof entry === 'string') {
      if (/^https?:\/\//i.test(entry)) this.refuse('remote', entry, line);
      return entry;
    }
    if (!(entry instanceof YamlMap)) this.fail('Each include must be a hash or a string', line);
    const used = kinds.filter((kind) => entry.has(kind));
    if (used.length !== 1)
      this.fail(`Each include must use only one of: ${kinds.map((kind) => `\`${kind}\``).join(', ')}`, line);
    const kind = used[0] as string;
    const target = entry.get(kind);
    if (kind !== 'local') this.refuse(kind, typeof target === 'string' ? target : kind, line);
    if (entry.has('inputs'))
      throw new ConfigError('`include:inputs` is not supported by this server', ['include', 'inputs'], line);
    const unknown = [...entry.keys()].filter((key) => !['local', 'rules'].includes(key));
    if (unknown.length > 0) this.fail(`include config contains unknown keys: ${unknown.join(', ')}`, line);
    if (typeof target !== 'string') this.fail('include:local should be a string', line);
    return this.isLetIn(entry) ? target : null;
  }

  private isLetIn(entry: YamlMap): boolean {
    if (!entry.has('rules')) return true;
    this.report.dependsOnCircumstances = true;
    const owner = new Place('include', ['include'], entry);
    const rules = rulePlaces(owner).map((place) => readRuleConditions(place, 'include'));
    owner.throwFirst();
    const matching = rules.find((rule) => {
      const answer = ruleApplies(rule, this.circumstances);
      if (typeof answer === 'object') throw new ConfigError(answer.error);
      return answer;
    });
    return matching !== undefined && matching.when !== 'never';
  }

  private list(): readonly string[] {
    this.report.dependsOnCircumstances = true;
    const list = this.files.listFiles();
    if (list === undefined) this.report.wantsFileList = true;
    return list ?? [];
  }

  private matching(glob: string): string[] {
    const test = compileGlob(glob);
    return this.list()
      .filter((path) => /\.ya?ml$/.test(path) && test(path))
      .toSorted();
  }

  private read(path: string, line: number | undefined): YamlMap | null {
    this.count += 1;
    if (this.count > this.limits.includes)
      this.fail(`Maximum of ${this.limits.includes} nested includes are allowed!`, line);
    if (!/\.ya?ml$/.test(path)) this.fail(`Included file \`${path}\` does not have YAML extension!`, line);
    const text = this.files.readFile(path);
    if (text === undefined) {
      if (!this.report.wantedFiles.includes(path)) this.report.wantedFiles.push(path);
      return null;
    }
    if (text === null) this.fail(`Local file \`${path}\` does not exist!`, line);
    if (text.trim() === '') this.fail(`Local file \`${path}\` is empty!`, line);
    this.characters += text.length;
    if (this.characters > this.limits.expandedSize) this.fail('The parsed YAML is too big', line);
    if (!this.report.files.includes(path)) this.report.files.push(path);
    return this.resolve(this.parse(path, text, line));
  }

  private parse(path: string, text: string, line: number | undefined): YamlMap {
    let documents: Value[];
    try {
      documents = readYaml(text, this.limits, false);
    } catch (error) {
      if (error instanceof YamlError) return this.fail(`\`${path}\`: ${error.message}`, line);
      throw error;
    }
    const root = documents.length === 1 ? documents[0] : undefined;
    if (!(root instanceof YamlMap)) this.fail(`Included file \`${path}\` does not have valid YAML syntax!`, line);
    return root;
  }

  private refuse(kind: string, target: string, line: number | undefined): never {
    this.fail(`\`include:${kind}\` is not supported by this server (${target})`, line);
  }

  private fail(message: string, line: number | undefined): never {
    throw new ConfigError(message, ['include'], line);
  }
}
