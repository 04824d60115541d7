import { type ConfigFiles, parseConfig, type ParsedConfig, type PipelineContext } from '#libs/ci-config';
import { ByteCache } from '../repositories/byte-cache.js';
import type { Repositories } from '../repositories/repositories.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';

/** A project's configuration at one commit. */
export interface LoadedConfig {
  parsed: ParsedConfig;
  /** All files of the commit, listed only when the configuration asks for them. */
  paths: readonly string[];
  /** Whether some rule may look at the pipeline's number in the project. */
  mentionsIid: boolean;
}

/** A configuration with everything worked out takes about this much more memory than its text. */
const growth = 20;
const cacheBytes = 128 * 1_048_576;
/** Includes may include; each round reads what the last one asked for. */
const deepestIncludes = 150;

/**
 * Reads and compiles configurations. A file without includes is compiled once per content, whatever the commit or project; one with
 * includes once per commit; one whose includes depend on variables each time (architecture.md §2.5).
 */
export class CiConfigs {
  readonly #known = new ByteCache<Omit<LoadedConfig, 'paths'>>(cacheBytes);

  constructor(private readonly repositories: Repositories) {}

  /**
   * @param path of the configuration, from the top of the repository
   * @param context gives the variables that `include` may look at
   * @returns null when the commit has no such file
   * @throws CommitNotFound, FileTooLarge, RepositoryUnreadable
   */
  async load(
    address: RepositoryAddress,
    sha: string,
    path: string,
    context: Pick<PipelineContext, 'predefined' | 'projectVariables' | 'pipelineVariables'>,
  ): Promise<LoadedConfig | null> {
    const file = await this.repositories.readFile(address, sha, path);
    if (!file) return null;
    const commitKey = `${address.projectId} ${sha} ${path}`;
    const known = this.#known.get(file.blob) ?? this.#known.get(commitKey);
    const config = known ?? (await this.#compile(address, sha, file, commitKey, context));
    const needsPaths = config.parsed.ok && config.parsed.config.usesFileList;
    return { ...config, paths: needsPaths ? await this.repositories.listFiles(address, sha) : [] };
  }

  async #compile(
    address: RepositoryAddress,
    sha: string,
    file: { blob: string; text: string },
    commitKey: string,
    {
      predefined,
      projectVariables,
      pipelineVariables,
    }: Pick<PipelineContext, 'predefined' | 'projectVariables' | 'pipelineVariables'>,
  ): Promise<Omit<LoadedConfig, 'paths'>> {
    const texts = new Map<string, string | null>();
    let paths: readonly string[] | undefined;
    const files: ConfigFiles = {
      readFile: (path) => texts.get(path),
      listFiles: () => paths,
      variables: [...predefined, ...projectVariables, ...pipelineVariables],
      changedFiles: null,
    };
    let parsed = parseConfig(file.text, files);
    for (let round = 0; !parsed.ok && parsed.wanted && round < deepestIncludes; round++) {
      for (const path of parsed.wanted.files)
        texts.set(path, (await this.repositories.readFile(address, sha, path))?.text ?? null);
      if (parsed.wanted.fileList) paths = await this.repositories.listFiles(address, sha);
      parsed = parseConfig(file.text, files);
    }
    const all = [file.text, ...texts.values()].filter((text) => text !== null);
    const config = { parsed, mentionsIid: all.some((text) => text.includes('CI_PIPELINE_IID')) };
    if (parsed.cacheable) {
      const size = all.reduce((sum, text) => sum + text.length, 0);
      this.#known.set(texts.size === 0 && !paths ? file.blob : commitKey, config, size * growth + 1_000);
    }
    return config;
  }
}
