import type { Variable } from './job.js';

/**
 * Files of one repository at one commit. Reading is the caller's business and may be slow, so an answer may be `undefined`: not
 * read yet. Compilation then ends with the list of what it wants (`ParsedConfig.wanted`); the caller reads and calls again.
 */
export interface RepositoryFiles {
  /** Text of a file; null: there is none; undefined: not read yet. */
  readFile: (path: string) => string | null | undefined;
  /** Paths of all files; undefined: not listed yet. */
  listFiles: () => readonly string[] | undefined;
}

/** Why another project's files cannot be had. To those who may not read a project it is not there. */
export type ProjectRefusal = 'no such project' | 'no such ref';

/** Where `include` finds its files, and what it may look at. */
export interface ConfigFiles extends RepositoryFiles {
  /**
   * Files of another project, for `include: project`: at the ref, or at the head of its default branch (null). Who may read them
   * is the caller's business. `undefined`: not looked up yet. Without this function such includes are refused.
   */
  openProject?: (project: string, ref: string | null) => RepositoryFiles | ProjectRefusal | undefined;
  /** Predefined, settings and pipeline variables, in order of precedence: what `include` may look at (ci-config.md §4.3). */
  variables: readonly Variable[];
  /** As in PipelineContext; null = cannot be known. */
  changedFiles: readonly string[] | null;
  /** Values for the inputs that the configuration declares: JSON values, or texts from a form (ci-config.md §5.9). */
  inputs?: Readonly<Record<string, unknown>>;
}

/** What was asked for and answered `undefined`. */
export interface WantedFiles {
  files: string[];
  fileList: boolean;
  projects: { project: string; ref: string | null; files: string[]; fileList: boolean }[];
}

/** A file that was included. */
export interface IncludedFile {
  /** GitLab's word: `file` is one of another project. */
  type: 'local' | 'file';
  /** Its path. */
  location: string;
  project?: string;
  ref?: string;
}

/** For a configuration without includes. */
export const noFiles: ConfigFiles = { readFile: () => null, listFiles: () => [], variables: [], changedFiles: null };
