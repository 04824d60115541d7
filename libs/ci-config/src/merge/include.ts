import type { ConfigFiles, IncludedFile, ProjectRefusal, RepositoryFiles, WantedFiles } from '../config-files.js';
import { ConfigError } from '../config-error.js';
import { Patterns } from '../expressions/pattern.js';
import { applyInputs, splitHeader, type Documents } from '../inputs/header.js';
import type { Variable } from '../job.js';
import { Place, Checks } from '../keywords/place.js';
import { isTextList } from '../keywords/texts.js';
import type { Limits } from '../limits.js';
import { compileGlob } from '../paths/glob.js';
import { PathMatcher } from '../paths/path-matcher.js';
import { readRuleConditions, rulePlaces } from '../rules/read-rule-conditions.js';
import { ruleApplies } from '../rules/rule-conditions.js';
import { expandOnce, type FindVariable } from '../variables/expand-variables.js';
import { fromJson } from '../yaml/plain.js';
import { readYaml } from '../yaml/read-yaml.js';
import type { Position, Sources } from '../yaml/sources.js';
import { YamlMap, type Value } from '../yaml/values.js';
import { deepMerge, type MergeBudget } from './deep-merge.js';

/** What was included, and what could not be told yet. */
export interface IncludeReport {
  /** In order, each once. */
  files: IncludedFile[];
  /** Whether variables, changed files, other projects or the list of files decided what is included. */
  dependsOnCircumstances: boolean;
  wanted: WantedFiles;
}

/** What including needs besides the file itself. */
export interface Including {
  files: ConfigFiles;
  limits: Limits;
  budget: MergeBudget;
  sources: Sources;
  report: IncludeReport;
}

/** Where a file lies, and with it the local files that it includes. */
interface Origin {
  files: RepositoryFiles;
  /** Absent: the project whose configuration this is. */
  project?: { path: string; ref: string | null };
}

/** One file to be included. */
interface Target {
  path: string;
  origin: Origin;
  inputs: ReadonlyMap<string, Value>;
}

const kinds = ['local', 'project', 'remote', 'template', 'artifact', 'component'] as const;
const keysOf = { local: ['local', 'inputs', 'rules'], project: ['project', 'file', 'ref', 'inputs', 'rules'] } as const;
const inputsAtMost = 20;
const unread: RepositoryFiles = { readFile: () => undefined, listFiles: () => undefined };

/**
 * Steps 1 to 3 of ci-config.md §0 after the YAML is read: inputs put in, and the key `include` replaced by the merged content of
 * what it names (§5.3): each file with its own includes below it, in order of appearance, and the including file on top. Throws
 * ConfigError. Files that have not been read yet are reported and left out.
 */
export function resolveIncludes(documents: readonly Value[], including: Including): YamlMap {
  const includer = new Includer(including);
  const given = Object.entries(including.files.inputs ?? {});
  if (given.length > inputsAtMost)
    throw new ConfigError(`config cannot have more than ${inputsAtMost} inputs, ${given.length} were given`);
  const inputs = new Map(given.map(([name, value]) => [name, fromJson(value)]));
  const root = includer.withInputs(splitHeader(documents), inputs);
  if (!(root instanceof YamlMap)) throw new ConfigError('Invalid configuration format');
  return includer.resolve(root, { files: including.files });
}

class Includer {
  private count = 0;
  private characters = 0;
  private readonly patterns = new Patterns();
  private readonly find: FindVariable;

  constructor(private readonly including: Including) {
    let variables: Map<string, Variable> | undefined;
    this.find = (key) => {
      including.report.dependsOnCircumstances = true;
      variables ??= new Map(including.files.variables.map((variable) => [variable.key, variable]));
      return variables.get(key);
    };
  }

  withInputs(documents: Documents, given: ReadonlyMap<string, Value>): Value {
    return applyInputs(documents, { given, find: this.find, patterns: this.patterns, limits: this.including.limits });
  }

  resolve(root: YamlMap, origin: Origin): YamlMap {
    if (!root.has('include')) return root;
    const position = root.positionOf('include');
    let merged = new YamlMap();
    for (const target of this.targets(root.get('include') as Value, origin, position)) {
      const included = this.read(target, position);
      if (included) merged = deepMerge(merged, included, this.including.budget);
    }
    return deepMerge(merged, root.copy('include'), this.including.budget);
  }

  private *targets(value: Value, origin: Origin, position: Position | undefined): Generator<Target> {
    if (value === null) return;
    for (const entry of Array.isArray(value) ? value.flat() : [value]) {
      if (typeof entry === 'string') {
        if (/^https?:\/\//i.test(entry)) this.refuse('remote', entry, position);
        yield* this.local(entry, origin, new Map(), position);
      } else if (entry instanceof YamlMap) {
        yield* this.ofMap(entry, origin, entry.start ?? position);
      } else this.fail('Each include must be a hash or a string', position);
    }
  }

  private *ofMap(entry: YamlMap, origin: Origin, position: Position | undefined): Generator<Target> {
    const used = kinds.filter((kind) => entry.has(kind));
    const [kind] = used;
    if (used.length !== 1 || kind === undefined)
      this.fail(`Each include must use only one of: ${kinds.map((one) => `\`${one}\``).join(', ')}`, position);
    const target = entry.get(kind);
    if (kind !== 'local' && kind !== 'project') this.refuse(kind, typeof target === 'string' ? target : kind, position);
    const unknown = [...entry.keys()].filter((key) => !(keysOf[kind] as readonly string[]).includes(key));
    if (unknown.length > 0) this.fail(`include config contains unknown keys: ${unknown.join(', ')}`, position);
    if (typeof target !== 'string') this.fail(`include:${kind} should be a string`, position);
    const given = entry.get('inputs') ?? null;
    if (given !== null && !(given instanceof YamlMap)) this.fail('include:inputs should be a hash', position);
    if (!this.isLetIn(entry, origin)) return;
    const inputs = given ?? new Map<string, Value>();
    if (kind === 'local') yield* this.local(target, origin, inputs, position);
    else yield* this.ofProject(target, entry, inputs, position);
  }

  private isLetIn(entry: YamlMap, origin: Origin): boolean {
    if (!entry.has('rules')) return true;
    this.including.report.dependsOnCircumstances = true;
    const checks = new Checks();
    const owner = Place.root(entry, checks, 'include');
    const rules = rulePlaces(owner).map((place) => readRuleConditions(place, 'include'));
    checks.throwFirst();
    const paths = new PathMatcher({
      listFiles: () => this.list(origin),
      filesOf: this.including.files.openProject && ((project, ref) => this.listProject(project, ref)),
      changedFiles: this.including.files.changedFiles,
    });
    const lookup = (key: string) => this.find(key)?.value;
    const matching = rules.find((rule) => {
      const answer = ruleApplies(rule, { find: this.find, lookup, patterns: this.patterns, paths });
      if (typeof answer === 'object') throw new ConfigError(answer.error, ['include'], entry.start);
      return answer;
    });
    return matching !== undefined && matching.when !== 'never';
  }

  private *local(
    written: string,
    origin: Origin,
    inputs: ReadonlyMap<string, Value>,
    position: Position | undefined,
  ): Generator<Target> {
    const path = this.expand(written, position).replace(/^\//, '');
    if (!path.includes('*')) {
      yield { path, origin, inputs };
      return;
    }
    const test = compileGlob(path);
    const matching = this.list(origin).filter((one) => /\.ya?ml$/.test(one) && test(one));
    for (const one of matching.toSorted()) yield { path: one, origin, inputs };
  }

  private *ofProject(
    written: string,
    entry: YamlMap,
    inputs: ReadonlyMap<string, Value>,
    position: Position | undefined,
  ): Generator<Target> {
    const { files, report } = this.including;
    if (!files.openProject) this.refuse('project', written, position);
    report.dependsOnCircumstances = true;
    const file = entry.get('file') ?? null;
    const paths = typeof file === 'string' ? [file] : file;
    if (!isTextList(paths) || paths.length === 0)
      this.fail('include config must specify the file where to fetch the config from', position);
    const ref = entry.get('ref') ?? null;
    if (ref !== null && typeof ref !== 'string') this.fail('include:ref should be a string', position);
    const project = {
      path: this.expand(written, position),
      ref: ref === null ? null : this.expand(ref, position),
    };
    const opened = files.openProject(project.path, project.ref);
    if (opened === 'no such project')
      this.fail(
        `Project \`${project.path}\` not found or access denied! Make sure any includes in the pipeline configuration are correctly defined.`,
        position,
      );
    if (opened === 'no such ref')
      this.fail(`Project \`${project.path}\` reference \`${project.ref ?? 'HEAD'}\` does not exist!`, position);
    for (const path of paths)
      yield {
        path: this.expand(path, position).replace(/^\//, ''),
        origin: { files: opened ?? unread, project },
        inputs,
      };
  }

  private expand(text: string, position: Position | undefined): string {
    const expanded = expandOnce(text, (key) => this.find(key)?.value, 'remove');
    return expanded.ok ? expanded.text : this.fail(expanded.error, position);
  }

  private listProject(path: string, ref: string | null): readonly string[] | ProjectRefusal {
    const opened = this.including.files.openProject?.(path, ref) ?? unread;
    return typeof opened === 'string' ? opened : this.list({ files: opened, project: { path, ref } });
  }

  private list(origin: Origin): readonly string[] {
    this.including.report.dependsOnCircumstances = true;
    const list = origin.files.listFiles();
    if (list === undefined) this.wantedOf(origin).fileList = true;
    return list ?? [];
  }

  private read({ path, origin, inputs }: Target, position: Position | undefined): YamlMap | null {
    const { limits } = this.including;
    this.count += 1;
    if (this.count > limits.includes) this.fail(`Maximum of ${limits.includes} nested includes are allowed!`, position);
    if (!/\.ya?ml$/.test(path)) this.fail(`Included file \`${path}\` does not have YAML extension!`, position);
    const text = origin.files.readFile(path);
    if (text === undefined) {
      const { files } = this.wantedOf(origin);
      if (!files.includes(path)) files.push(path);
      return null;
    }
    const what = origin.project ? `Project \`${origin.project.path}\` file` : 'Local file';
    if (text === null) this.fail(`${what} \`${path}\` does not exist!`, position);
    if (text.trim() === '') this.fail(`${what} \`${path}\` is empty!`, position);
    this.characters += text.length;
    if (this.characters > limits.expandedSize) this.fail('The parsed YAML is too big', position);
    this.note(path, origin);
    return this.resolve(this.parse({ path, origin, inputs }, text, position), origin);
  }

  private parse({ path, origin, inputs }: Target, text: string, position: Position | undefined): YamlMap {
    const { limits, sources } = this.including;
    const name = origin.project ? `${origin.project.path}:${path}` : path;
    try {
      const root = this.withInputs(splitHeader(readYaml(text, limits, sources, name)), inputs);
      if (root instanceof YamlMap) return root;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new ConfigError(`\`${path}\`: ${error.message}`, error.path ?? ['include'], error.position ?? position);
    }
    return this.fail(`Included file \`${path}\` does not have valid YAML syntax!`, position);
  }

  private wantedOf({ project }: Origin): { files: string[]; fileList: boolean } {
    const { wanted } = this.including.report;
    if (!project) return wanted;
    let entry = wanted.projects.find((one) => one.project === project.path && one.ref === project.ref);
    if (!entry) {
      entry = { project: project.path, ref: project.ref, files: [], fileList: false };
      wanted.projects.push(entry);
    }
    return entry;
  }

  private note(path: string, { project }: Origin): void {
    const { files } = this.including.report;
    const known = files.some(
      (file) => file.location === path && file.project === project?.path && file.ref === (project?.ref ?? undefined),
    );
    if (known) return;
    const file: IncludedFile = { type: project ? 'file' : 'local', location: path };
    if (project) file.project = project.path;
    if (project?.ref != null) file.ref = project.ref;
    files.push(file);
  }

  private refuse(kind: string, target: string, position: Position | undefined): never {
    this.fail(`\`include:${kind}\` is not supported by this server (${target})`, position);
  }

  private fail(message: string, position: Position | undefined): never {
    throw new ConfigError(message, ['include'], position);
  }
}
