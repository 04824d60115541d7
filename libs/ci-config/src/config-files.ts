import type { Variable } from './job.js';

/**
 * Where `include: local` finds its files. Reading is the caller's business and may be slow, so an answer may be `undefined`:
 * not read yet. Compilation then ends with the list of what it wants (`ParsedConfig.wanted`); the caller reads and calls again.
 */
export interface ConfigFiles {
  /** Text of a file at the commit; null: there is none; undefined: not read yet. */
  readFile: (path: string) => string | null | undefined;
  /** Paths of all files at the commit; undefined: not listed yet. */
  listFiles: () => readonly string[] | undefined;
  /** Predefined, settings and pipeline variables, in order of precedence: what `include` may look at (ci-config.md §4.3). */
  variables: readonly Variable[];
  /** As in PipelineContext; null = cannot be known. */
  changedFiles: readonly string[] | null;
}

/** For a configuration without includes. */
export const noFiles: ConfigFiles = { readFile: () => null, listFiles: () => [], variables: [], changedFiles: null };
