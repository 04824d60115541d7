import { createHash } from 'node:crypto';
import {
  type CiConfig,
  type ConfigFiles,
  noFiles,
  parseConfig,
  type ParsedConfig,
  type PipelineContext,
  type Plan,
  type ProjectRefusal,
  type WantedFiles,
} from '#libs/ci-config';
import { ByteCache } from '../repositories/byte-cache.js';
import type { Repositories } from '../repositories/repositories.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';
import { CommitNotFound, FileTooLarge } from '../repositories/repository-errors.js';
import { CommitFiles } from './commit-files.js';
import type { IncludedProjects, Reader } from './included-projects.js';
import { planAtCommit } from './plan-at-commit.js';

/** What decides what a file becomes, besides other files. */
export interface IncludeContext extends Pick<PipelineContext, 'predefined' | 'projectVariables' | 'pipelineVariables'> {
  /** As whom files of other projects are read. */
  reader: Reader;
  /** Values for `spec:inputs`. */
  inputs?: Record<string, unknown> | undefined;
}

interface Compiled {
  parsed: ParsedConfig;
  /** Some rule may look at the pipeline's number in the project. */
  mentionsIid: boolean;
  /** Characters, includes counted. */
  size: number;
  /** Nothing of the commit but the file itself was looked at. */
  alone: boolean;
}

/** A project's configuration at one commit. */
export interface LoadedConfig extends Compiled {
  /** All files of the commit, listed only when the configuration asks for them. */
  paths: readonly string[];
}

/** A configuration with everything worked out takes about this much more memory than its text. */
const growth = 20;
const cacheBytes = 128 * 1_048_576;
/** Includes may include; each round reads what the last one asked for. */
const deepestIncludes = 150;
/** GitLab's limit for getting at everything that is included (ci-config.md §5.3). */
const includesMs = 30_000;

/**
 * Reads and compiles configurations. A file without includes is compiled once per content and inputs, whatever the commit or project; one with
 * includes once per commit; one whose includes depend on variables or lie in other projects each time, since these may change, and not everybody
 * may read them (architecture.md §2.5).
 */
export class CiConfigs {
  readonly #known = new ByteCache<Compiled>(cacheBytes);

  constructor(
    private readonly repositories: Repositories,
    private readonly projects: IncludedProjects,
  ) {}

  /**
   * @param source path of the configuration from the top of the repository, or its text
   * @returns null when the commit has no such file
   * @throws CommitNotFound, RepositoryUnreadable
   */
  async load(
    address: RepositoryAddress,
    sha: string,
    source: { path: string } | { text: string },
    context: IncludeContext,
  ): Promise<LoadedConfig | null> {
    let file;
    try {
      file =
        'text' in source
          ? { blob: `text ${digest(source.text)}`, text: source.text }
          : await this.repositories.readFile(address, sha, source.path);
    } catch (error) {
      if (error instanceof FileTooLarge) return { ...refused(error.message), paths: [] };
      throw error;
    }
    if (!file) return null;
    const given = inputsKey(context.inputs);
    const contentKey = `${file.blob}${given}`;
    const commitKey = `${address.projectId} ${sha} ${'path' in source ? source.path : file.blob}${given}`;
    const known = this.#known.get(contentKey) ?? this.#known.get(commitKey);
    const config = known ?? (await this.compile(address, sha, file.text, context));
    if (!known && config.parsed.cacheable)
      this.#known.set(config.alone ? contentKey : commitKey, config, config.size * growth + 1_000);
    return { ...config, paths: await this.paths(address, sha, config.parsed) };
  }

  /**
   * Compiles a text whose local includes lie in the repository at this commit; nothing is kept.
   * @param address null: there is no repository
   * @throws CommitNotFound, RepositoryUnreadable
   */
  async compile(
    address: RepositoryAddress | null,
    sha: string,
    text: string,
    context: IncludeContext,
  ): Promise<Compiled> {
    const own = address && new CommitFiles(this.repositories, address, sha);
    const others = new Map<string, CommitFiles | ProjectRefusal>();
    const { predefined, projectVariables, pipelineVariables, inputs = {} } = context;
    const files: ConfigFiles = {
      ...noFiles,
      ...(own && { readFile: own.readFile, listFiles: own.listFiles }),
      openProject: (project, ref) => others.get(projectKey({ project, ref })),
      variables: [...predefined, ...projectVariables, ...pipelineVariables],
      inputs,
    };
    const until = performance.now() + includesMs;
    let parsed = parseConfig(text, files);
    for (let round = 0; !parsed.ok && parsed.wanted && round < deepestIncludes; round++) {
      if (performance.now() > until) return refused('Request timed out when fetching configuration files.');
      const { wanted } = parsed;
      try {
        await Promise.all([
          own?.read(wanted),
          ...wanted.projects.map((one) => this.#read(one, others, context.reader)),
        ]);
      } catch (error) {
        if (error instanceof FileTooLarge) return refused(error.message);
        throw error;
      }
      parsed = parseConfig(text, files);
    }
    const foreign = [...others.values()].flatMap((opened) => (typeof opened === 'string' ? [] : opened.texts));
    const all = [text, ...(own?.texts ?? []), ...foreign, JSON.stringify(inputs)];
    return {
      parsed,
      mentionsIid: all.some((one) => one.includes('CI_PIPELINE_IID')),
      size: all.reduce((sum, one) => sum + one.length, 0),
      alone: (own?.untouched ?? true) && others.size === 0,
    };
  }

  /** The paths that a configuration's rules look at, none where they do not. */
  async paths(address: RepositoryAddress, sha: string, parsed: ParsedConfig): Promise<readonly string[]> {
    return parsed.ok && parsed.config.usesFileList ? this.repositories.listFiles(address, sha) : [];
  }

  /**
   * Plans a pipeline of a configuration at a commit.
   * @param address null: there is no repository
   * @param reader as whom files of other projects are looked for
   * @throws RepositoryUnreadable
   */
  plan(
    address: RepositoryAddress | null,
    sha: string,
    config: CiConfig,
    context: PipelineContext,
    reader: Reader,
  ): Promise<Plan> {
    const changedSince = async (ref: string): Promise<string[] | null> => {
      const base = address && (await this.repositories.commitNamed(address, ref));
      return address && base ? this.repositories.changedPaths(address, base, sha) : null;
    };
    const filesOf = (project: string, ref: string | null) => this.projects.paths(project, ref, reader);
    return planAtCommit({ changedSince, filesOf }, config, context);
  }

  async #read(
    wanted: WantedFiles['projects'][number],
    others: Map<string, CommitFiles | ProjectRefusal>,
    reader: Reader,
  ): Promise<void> {
    const key = projectKey(wanted);
    const opened = others.get(key) ?? (await this.projects.open(wanted.project, wanted.ref, reader));
    others.set(key, opened);
    if (typeof opened === 'string') return;
    try {
      await opened.read(wanted);
    } catch (error) {
      if (!(error instanceof CommitNotFound)) throw error;
      others.set(key, 'no such ref');
    }
  }
}

function projectKey({ project, ref }: Pick<WantedFiles['projects'][number], 'project' | 'ref'>): string {
  return JSON.stringify([project, ref]);
}

/** A configuration that could not even be looked at. */
function refused(message: string): Compiled {
  return {
    parsed: { ok: false, problems: [{ message }], includes: [], cacheable: false },
    mentionsIid: false,
    size: 0,
    alone: false,
  };
}

/** Tells configurations with inputs apart; empty for none. A digest, since the values are the caller's and may be long. */
function inputsKey(inputs: IncludeContext['inputs']): string {
  if (!inputs || Object.keys(inputs).length === 0) return '';
  return ` ${digest(JSON.stringify(inputs))}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
