import { setTimeout as delay } from 'node:timers/promises';
import { type Actor, invalid } from '#libs/contracts';
import type { Logger } from 'pino';
import { Inject, Injectable } from '@nestjs/common';
import { PipelineServiceConfig } from '../config.js';
import { Log } from '../log.js';
import { Repositories } from '../repositories/repositories.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';
import { RepositoryUnreadable } from '../repositories/repository-errors.js';
import { checkLocalPath, type ImportAddress, splitImportUrl } from './import-address.js';

/** GitLab's default for a repository that does not say. */
const fallbackBranch = 'main';
/** The caller of the HTTP API waits eight seconds in all. */
const branchLimitMs = 4_000;

/** Judges what `import_url` names, before a project has it. */
@Injectable()
export class ProjectSources {
  constructor(
    private readonly repositories: Repositories,
    private readonly config: PipelineServiceConfig,
    @Inject(Log) private readonly log: Logger,
  ) {}

  /**
   * @returns null for no repository
   * @throws Refusal 400 when the address is none, or is not allowed here. One whose host does not answer just now is allowed
   */
  async approve(importUrl: string | null | undefined, actor: Actor): Promise<ImportAddress | null> {
    if (!importUrl?.trim()) return null;
    const address = splitImportUrl(importUrl);
    try {
      await checkLocalPath(address.url, actor.admin, this.config.repositories);
      await this.repositories.checkAddress(address.url);
    } catch (error) {
      if (!(error instanceof RepositoryUnreadable)) throw error;
      if (!error.transient) throw invalid({ import_url: [`is blocked: ${error.reason}`] });
    }
    return address;
  }

  /** The repository's own default branch, or `main` where there is none or it cannot be asked now. */
  async defaultBranch(address: RepositoryAddress | null): Promise<string> {
    if (!address) return fallbackBranch;
    const late = new AbortController();
    try {
      const asked = this.repositories.defaultBranch(address);
      const branch = await Promise.race([asked, delay(branchLimitMs, null, { signal: late.signal })]);
      return branch ?? fallbackBranch;
    } catch (error) {
      if (!(error instanceof RepositoryUnreadable)) throw error;
      this.log.info(
        { project: address.projectId, reason: error.reason },
        'a new project’s repository could not be asked for its branch',
      );
      return fallbackBranch;
    } finally {
      late.abort();
    }
  }
}
