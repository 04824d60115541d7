import type { ProjectRefusal } from '../config-files.js';
import { compileGlob } from './glob.js';

/** Comparisons of paths with patterns, in one rule, after which the answer is "yes" without looking (ci-config.md §2.4). */
const comparisonsPerRule = 50_000;
/** The same for all rules of one pipeline, each pattern counted once: some seconds in the worst case. */
const comparisonsInAll = 4_000_000;

/** Where paths come from. */
export interface PathSources {
  listFiles: () => readonly string[];
  /** Of another project; without a ref at the head of its default branch. */
  filesOf?: ((project: string, ref: string | null) => readonly string[] | ProjectRefusal) | undefined;
  /** Null: cannot be known. */
  changedFiles: readonly string[] | null;
  changedSince?: ((ref: string) => readonly string[] | null) | undefined;
}

/** Answers `changes` and `exists` for one pipeline. Rules share patterns, so each one meets each list of paths once. */
export class PathMatcher {
  /** By what was asked (`exists`, `changes`, a ref) and pattern. */
  private readonly answers = new Map<string, Map<string, boolean>>();
  private readonly since = new Map<string, readonly string[] | null>();
  /** By the question about them. */
  private readonly files = new Map<string, FileSet>();
  private left = comparisonsInAll;

  constructor(private readonly sources: PathSources) {}

  /**
   * Whether some file at the commit matches one of the patterns of `exists`: without wildcards an exact path, or a directory when
   * it ends in a slash. Only patterns with wildcards count as comparisons, so that a large repository has no file that it has not.
   */
  exist(patterns: readonly string[]): boolean {
    return this.existAmong('exists', this.sources.listFiles, patterns);
  }

  /** The same in another project, or why it cannot be told. */
  existIn(project: string, ref: string | null, patterns: readonly string[]): boolean | { error: string } {
    const paths = this.sources.filesOf?.(project, ref);
    if (paths === undefined) return { error: 'rules:exists:project is not supported by this server' };
    if (paths === 'no such project')
      return { error: `rules:exists:project \`${project}\` is not a valid project path` };
    if (paths === 'no such ref')
      return { error: `rules:exists:ref \`${ref ?? 'HEAD'}\` is not a valid ref in project \`${project}\`` };
    return this.existAmong(`exists in ${JSON.stringify([project, ref])}`, () => paths, patterns);
  }

  private existAmong(question: string, list: () => readonly string[], patterns: readonly string[]): boolean {
    const files = this.files.get(question) ?? new FileSet(list());
    this.files.set(question, files);
    const globs: string[] = [];
    for (const pattern of patterns) {
      if (/[*?[{]/.test(pattern)) globs.push(pattern);
      else if (files.has(pattern)) return true;
    }
    return globs.length > 0 && this.anyMatches(question, globs, files.paths);
  }

  /** Whether some changed file matches; not known, as in every triggered pipeline, counts as changed (ci-config.md §2.4). */
  changed(globs: readonly string[]): boolean {
    const { changedFiles } = this.sources;
    return changedFiles === null || this.anyMatches('changes', globs, changedFiles);
  }

  /** The same for `compare_to`, or why it cannot be told. */
  changedSince(ref: string, globs: readonly string[]): boolean | { error: string } {
    if (!this.sources.changedSince) return { error: 'rules:changes:compare_to is not supported by this server' };
    let paths = this.since.get(ref);
    if (paths === undefined) {
      paths = this.sources.changedSince(ref);
      this.since.set(ref, paths);
    }
    return paths === null
      ? { error: 'rules:changes:compare_to is not a valid ref' }
      : this.anyMatches(`changes since ${ref}`, globs, paths);
  }

  private anyMatches(question: string, patterns: readonly string[], paths: readonly string[]): boolean {
    if (patterns.length * paths.length > comparisonsPerRule) return true;
    const answers = this.answers.get(question) ?? new Map<string, boolean>();
    this.answers.set(question, answers);
    for (const pattern of patterns) {
      let answer = answers.get(pattern);
      if (answer === undefined) {
        this.left -= paths.length;
        answer = this.left < 0 || paths.some(compileGlob(pattern));
        answers.set(pattern, answer);
      }
      if (answer) return true;
    }
    return false;
  }
}

/** The files of one commit. */
class FileSet {
  private readonly known: ReadonlySet<string>;
  private directories: Set<string> | undefined;

  constructor(readonly paths: readonly string[]) {
    this.known = new Set(paths);
  }

  /** Whether there is such a file, or, with a slash at the end, such a directory. */
  has(path: string): boolean {
    return path.endsWith('/') ? this.hasDirectory(path) : this.known.has(path);
  }

  private hasDirectory(directory: string): boolean {
    if (!this.directories) {
      this.directories = new Set();
      for (const path of this.paths)
        for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1))
          this.directories.add(path.slice(0, end + 1));
    }
    return this.directories.has(directory);
  }
}
