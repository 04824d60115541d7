import { createHash } from 'node:crypto';
import { type ConfigFiles, parseConfig, type ParsedConfig, type PipelineContext } from '#libs/ci-config';
import { ByteCache } from '../repositories/byte-cache.js';
import type { Repositories } from '../repositories/repositories.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';

/** What decides what a file becomes, besides other files: the variables that `include` may look at, and values for `spec:inputs`. */
export interface IncludeContext extends Pick<PipelineContext, 'predefined' | 'projectVariables' | 'pipelineVariables'> {
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

/**
 * Reads and compiles configurations. A file without includes is compiled once per content and inputs, whatever the commit or project; one with
 * includes once per commit; one whose includes depend on variables each time (architecture.md §2.5).
 */
export class CiConfigs {
  readonly #known = new ByteCache<Compiled>(cacheBytes);

  constructor(private readonly repositories: Repositories) {}

  /**
   * @param path of the configuration, from the top of the repository
   * @param context gives the variables that `include` may look at, and the inputs
   * @returns null when the commit has no such file
   * @throws CommitNotFound, FileTooLarge, RepositoryUnreadable
   */
  async load(
    address: RepositoryAddress,
    sha: string,
    path: string,
    context: IncludeContext,
  ): Promise<LoadedConfig | null> {
    const file = await this.repositories.readFile(address, sha, path);
    if (!file) return null;
    const given = inputsKey(context.inputs);
    const contentKey = `${file.blob}${given}`;
    const commitKey = `${address.projectId} ${sha} ${path}${given}`;
    const known = this.#known.get(contentKey) ?? this.#known.get(commitKey);
    const config = known ?? (await this.compile(address, sha, file.text, context));
    if (!known && config.parsed.cacheable)
      this.#known.set(config.alone ? contentKey : commitKey, config, config.size * growth + 1_000);
    return { ...config, paths: await this.paths(address, sha, config.parsed) };
  }

  /**
   * Compiles a text whose includes lie in the repository at this commit; nothing is kept.
   * @throws CommitNotFound, FileTooLarge, RepositoryUnreadable
   */
  async compile(address: RepositoryAddress, sha: string, text: string, context: IncludeContext): Promise<Compiled> {
    const texts = new Map<string, string | null>();
    let paths: readonly string[] | undefined;
    const { predefined, projectVariables, pipelineVariables, inputs = {} } = context;
    const files: ConfigFiles = {
      readFile: (path) => texts.get(path),
      listFiles: () => paths,
      variables: [...predefined, ...projectVariables, ...pipelineVariables],
      changedFiles: null,
      inputs,
    };
    let parsed = parseConfig(text, files);
    for (let round = 0; !parsed.ok && parsed.wanted && round < deepestIncludes; round++) {
      for (const path of parsed.wanted.files)
        texts.set(path, (await this.repositories.readFile(address, sha, path))?.text ?? null);
      if (parsed.wanted.fileList) paths = await this.repositories.listFiles(address, sha);
      parsed = parseConfig(text, files);
    }
    const all = [text, ...texts.values(), JSON.stringify(inputs)].filter((one) => one !== null);
    return {
      parsed,
      mentionsIid: all.some((one) => one.includes('CI_PIPELINE_IID')),
      size: all.reduce((sum, one) => sum + one.length, 0),
      alone: texts.size === 0 && !paths,
    };
  }

  /** The paths that a configuration's rules look at, none where they do not. */
  async paths(address: RepositoryAddress, sha: string, parsed: ParsedConfig): Promise<readonly string[]> {
    return parsed.ok && parsed.config.usesFileList ? this.repositories.listFiles(address, sha) : [];
  }
}

/** Tells configurations with inputs apart; empty for none. A digest, since the values are the caller's and may be long. */
function inputsKey(inputs: IncludeContext['inputs']): string {
  if (!inputs || Object.keys(inputs).length === 0) return '';
  return ` ${createHash('sha256').update(JSON.stringify(inputs)).digest('base64')}`;
}
