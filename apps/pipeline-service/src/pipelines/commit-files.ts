import type { RepositoryFiles, WantedFiles } from '#libs/ci-config';
import type { Repositories } from '../repositories/repositories.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';

/** The files of one commit, as far as they were read: the compiler asks for more by answering that it wants them. */
export class CommitFiles implements RepositoryFiles {
  readonly #texts = new Map<string, string | null>();
  #paths: readonly string[] | undefined;

  constructor(
    private readonly repositories: Repositories,
    private readonly address: RepositoryAddress,
    private readonly sha: string,
  ) {}

  readonly readFile = (path: string): string | null | undefined => this.#texts.get(path);
  readonly listFiles = (): readonly string[] | undefined => this.#paths;

  /** @throws CommitNotFound, FileTooLarge, RepositoryUnreadable */
  async read({ files, fileList }: Pick<WantedFiles, 'files' | 'fileList'>): Promise<void> {
    const texts = files.map(async (path) => {
      const file = await this.repositories.readFile(this.address, this.sha, path);
      this.#texts.set(path, file?.text ?? null);
    });
    const listing = fileList ? this.repositories.listFiles(this.address, this.sha) : undefined;
    const [paths] = await Promise.all([listing, ...texts]);
    if (paths) this.#paths = paths;
  }

  /** Everything that was read. */
  get texts(): string[] {
    return [...this.#texts.values()].filter((text) => text !== null);
  }

  /** Whether nothing was looked at. */
  get untouched(): boolean {
    return this.#texts.size === 0 && !this.#paths;
  }
}
