import type { UnpackRoom } from './archive/unpack.js';
import { downloadArtifacts } from './artifacts/download-artifacts.js';
import { uploadArtifacts } from './artifacts/upload-artifacts.js';
import type { CacheStore } from './cache/cache-store.js';
import { followsPolicy, restoreCache, saveCache } from './cache/job-cache.js';
import type { Coordinator } from './coordinator.js';
import type { JobLog } from './job-log.js';
import type { JobPayload } from './job.payload.js';
import { attempts } from './sources.js';
import { expand } from './variables.js';

interface ArchivesOfJob {
  job: JobPayload;
  /** The checkout. */
  directory: string;
  log: JobLog;
  coordinator: Coordinator;
  cache: { store: CacheStore; scope: string };
  /** Names a file of the runner's own that does not exist yet, for an archive on its way. */
  archivePath: string;
  /** What the job may unpack, all caches and artifacts together. */
  room: UnpackRoom;
  /** For git, where untracked files are asked for. */
  env: NodeJS.ProcessEnv;
  setting(name: string): string | undefined;
}

/** The stages of a job that move files into its checkout before its script and out of it afterwards; each is a section of the log. */
export class JobArchives {
  constructor(private readonly run: ArchivesOfJob) {}

  /** No failure of a cache is one of the job. */
  async restoreCaches(signal: AbortSignal): Promise<void> {
    const { job, log } = this.run;
    const caches = job.cache.filter((spec) => followsPolicy(spec, 'pull', this.expand));
    if (caches.length === 0) return;
    await log.section('restore_cache', 'Restoring cache', async () => {
      for (const spec of caches) await restoreCache(spec, this.cacheRun(signal));
    });
  }

  /** @returns why the archives of earlier jobs could not be had, when they could not */
  async download(signal: AbortSignal): Promise<string | undefined> {
    const { job, log, setting } = this.run;
    if (job.dependencies.length === 0) return undefined;
    return log.section('download_artifacts', 'Downloading artifacts', async () => {
      for (let left = attempts(setting('ARTIFACT_DOWNLOAD_ATTEMPTS')); ; left--) {
        const failure = await downloadArtifacts(job.dependencies, { ...this.run, signal });
        if (failure === undefined || left <= 1) return failure;
        log.line('\x1b[32;1mTrying again\x1b[0;m');
      }
    });
  }

  /**
   * Saves the caches and uploads the artifacts that are due after such a job.
   * @returns why an upload failed, when one did
   */
  async keep(succeeded: boolean, signal: AbortSignal): Promise<string | undefined> {
    const { job, log } = this.run;
    const kind = succeeded ? 'successful' : 'failed';
    const due = succeeded ? 'on_success' : 'on_failure';
    const isDue = ({ when }: { when: string }) => when === 'always' || when === due;
    const caches = job.cache.filter((spec) => isDue(spec) && followsPolicy(spec, 'push', this.expand));
    if (caches.length > 0) {
      const stage = succeeded ? 'archive_cache' : 'archive_cache_on_failure';
      await log.section(stage, `Saving cache for ${kind} job`, async () => {
        for (const spec of caches) await saveCache(spec, this.cacheRun(signal));
      });
    }
    const artifacts = job.artifacts.filter(isDue);
    if (artifacts.length === 0) return undefined;
    return log.section(`upload_artifacts_${due}`, `Uploading artifacts for ${kind} job`, () =>
      uploadArtifacts(artifacts, { ...this.run, expand: this.expand, signal }),
    );
  }

  private cacheRun(signal: AbortSignal) {
    const { cache, job, directory, room, log, env, setting } = this.run;
    return {
      ...cache,
      directory,
      room,
      log,
      env,
      defaultKey: `${job.name}/${job.git.ref}`,
      fallbackKey: setting('CACHE_FALLBACK_KEY') ?? '',
      attempts: attempts(setting('RESTORE_CACHE_ATTEMPTS')),
      expand: this.expand,
      signal,
    };
  }

  private readonly expand = (text: string): string => expand(text, this.run.setting);
}
