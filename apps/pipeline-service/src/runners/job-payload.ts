import type { Cache, Image } from '#libs/ci-config';
import { wantedArtifacts } from '../artifacts/wanted-artifacts.js';
import { noSha, type Server } from '../pipelines/predefined-variables.js';
import type { ProjectForCreation } from '../projects/project-reader.js';
import { runnerFailureReasons } from './failure-reasons.js';
import type { HandedOutJob, HandingOut } from './handed-out-job.js';
import { jobVariables } from './job-variables.js';

/**
 * The job as a runner gets it (runner-api.md §2.4): numbers as numbers, and what is optional left out rather than sent in a form that does not
 * decode, since one wrong type discards the whole job. Pure.
 *
 * @throws Error when the job cannot be run with its variables
 */
export function jobPayload(
  job: HandedOutJob,
  project: ProjectForCreation,
  to: Omit<HandingOut, 'repositoryUrl'>,
): Record<string, unknown> {
  const { pipeline, definition } = job;
  const { options } = definition;
  const handing: HandingOut = { ...to, repositoryUrl: repositoryUrl(to.server, project, to.token) };
  const variables = jobVariables(job, project, handing);
  const timeout = Math.min(job.timeoutSeconds, to.runner.maximumTimeout ?? Infinity);
  const step = (name: string, script: string[], when: string, allow_failure: boolean) => ({
    name,
    script,
    timeout,
    when,
    allow_failure,
  });
  const depth = historyDepth(variables.find(({ key }) => key === 'GIT_DEPTH')?.value, project.gitDepth);
  return {
    id: job.id,
    token: to.token,
    allow_git_fetch: true,
    job_info: {
      id: job.id,
      name: job.name,
      stage: job.stage,
      pipeline_id: pipeline.id,
      project_id: project.id,
      project_name: project.slug,
      project_full_path: project.path,
      namespace_id: project.namespace.id,
      root_namespace_id: project.namespace.id,
      ...(job.user && { user_id: job.user.id }),
      time_in_queue_seconds: job.waited,
      project_jobs_running_on_instance_runners_count: '0',
    },
    git_info: {
      repo_url: handing.repositoryUrl,
      ref: pipeline.ref,
      sha: pipeline.sha,
      before_sha: noSha,
      ref_type: pipeline.tag ? 'tag' : 'branch',
      refspecs: refspecs(pipeline, depth),
      depth,
      repo_object_format: pipeline.sha.length === 64 ? 'sha256' : 'sha1',
      protected: pipeline.protected,
    },
    runner_info: { timeout },
    inputs: [],
    variables,
    steps: [
      step('script', [...options.beforeScript, ...options.script], 'on_success', false),
      ...(options.afterScript.length > 0 ? [step('after_script', options.afterScript, 'always', true)] : []),
    ],
    ...(options.hooks && {
      hooks: [{ name: 'pre_get_sources_script', script: options.hooks.preGetSourcesScript }],
    }),
    ...(options.image && { image: imageOf(options.image) }),
    services: options.services.map((service) => ({
      ...imageOf(service),
      ...(service.alias !== undefined && { alias: service.alias }),
      ...(service.command && { command: service.command }),
      variables: (service.variables ?? []).map(({ key, value }) => ({ key, value })),
    })),
    cache: options.cache.flatMap((cache, index) => cacheOf(cache, job.cacheKeys?.[index] ?? null, pipeline.protected)),
    artifacts: wantedArtifacts(options.artifacts),
    credentials: [],
    dependencies: job.dependencies.flatMap(({ id, name, archive }) =>
      archive
        ? [{ id, name, token: to.token, artifacts_file: { filename: archive.filename, size: archive.size } }]
        : [],
    ),
    features: { trace_sections: true, failure_reasons: runnerFailureReasons },
  };
}

/** A runner does not read `GIT_DEPTH` itself; what is no number does not count, and 0 is all of the history. */
function historyDepth(wanted: string | undefined, usual: number): number {
  return wanted !== undefined && /^\d{1,9}$/.test(wanted.trim()) ? Number(wanted) : usual;
}

/**
 * The pinned commit, and what names it in the working copy. `origin/<branch>` is where the pipeline was started, even when the branch has moved
 * on or is gone, which would fail the whole fetch (runner-api.md §2.8). A tag is fetched as it is, with its message.
 */
function refspecs({ id, ref, tag }: HandedOutJob['pipeline'], depth: number): string[] {
  const pinned = `refs/pipelines/${id}`;
  const own = `+${pinned}:${pinned}`;
  if (depth === 0) return [own, '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'];
  return [own, tag ? `+refs/tags/${ref}:refs/tags/${ref}` : `+${pinned}:refs/remotes/origin/${ref}`];
}

/** A plain text where a list is expected would not decode. */
function imageOf({ name, entrypoint, pullPolicy, executorOptions }: Image) {
  const executor_opts = executorOptions && optionsOf(executorOptions);
  return {
    name,
    ...(entrypoint && { entrypoint }),
    ...(pullPolicy && { pull_policy: pullPolicy }),
    ...(executor_opts && { executor_opts }),
  };
}

/** Only the texts that runners know: anything else under these names would not decode. */
function optionsOf(written: Record<string, unknown>): Record<string, Record<string, string>> | undefined {
  const options: Record<string, Record<string, string>> = {};
  for (const [executor, names] of Object.entries({ docker: ['platform', 'user'], kubernetes: ['user'] })) {
    const given = (written[executor] ?? {}) as Record<string, unknown>;
    const texts = names.flatMap((name) => {
      const value = given[name];
      return typeof value === 'string' || typeof value === 'number' ? [[name, String(value)] as const] : [];
    });
    if (texts.length > 0) options[executor] = Object.fromEntries(texts);
  }
  return Object.keys(options).length > 0 ? options : undefined;
}

/**
 * A cache whose key could not be computed is left out: a job without its cache is slower, one with the wrong cache is broken. Protected refs have
 * caches of their own, which those of others cannot write; with `unprotect` they share. The same goes for the keys that are tried after it.
 */
function cacheOf(cache: Cache, computedKey: string | null, isProtected: boolean) {
  const key = typeof cache.key === 'object' ? computedKey : (cache.key ?? 'default');
  if (key === null) return [];
  const named = (each: string) => `${each}-${isProtected && !cache.unprotect ? 'protected' : 'non_protected'}`;
  return [
    {
      key: named(key),
      untracked: cache.untracked ?? false,
      paths: cache.paths ?? [],
      policy: cache.policy,
      when: cache.when,
      fallback_keys: (cache.fallbackKeys ?? []).map(named),
    },
  ];
}

function repositoryUrl({ externalUrl }: Server, project: ProjectForCreation, token: string): string {
  const url = new URL(`${externalUrl}/${project.path}.git`);
  url.username = 'gitlab-ci-token';
  url.password = token;
  return url.href;
}
