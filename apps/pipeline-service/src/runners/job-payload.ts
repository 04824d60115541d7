import { expandVariables, type Job, jobPredefinedVariables, type Variable } from '#libs/ci-config';
import type { CommitFacts, PipelineSource, UserFacts } from '#libs/contracts';
import { type OrderedVariable } from '../pipelines/pipeline-order.js';
import {
  noSha,
  pipelineVariables,
  projectVariables,
  type Server,
  serverVariables,
  userVariables,
} from '../pipelines/predefined-variables.js';
import { projectIdentity } from '../pipelines/project-variables.js';
import type { ProjectForCreation } from '../projects/project-reader.js';

/** What the payload is made of, all of it read already. */
export interface HandedOutJob {
  id: number;
  name: string;
  stage: string;
  when: string;
  definition: Job;
  timeoutSeconds: number;
  playedVariables: { key: string; value: string }[] | null;
  pipeline: {
    id: number;
    iid: number;
    source: PipelineSource;
    ref: string;
    tag: boolean;
    tagMessage: string | null;
    protected: boolean;
    sha: string;
    commit: CommitFacts;
    createdAt: string;
    name: string | null;
    triggerShortToken: string | null;
    variables: OrderedVariable[];
  };
  user: UserFacts & { email: string | null };
  /** Seconds that the job waited. */
  waited: number;
}

interface SentVariable {
  key: string;
  value: string;
  public: boolean;
  masked: boolean;
  file?: true;
  raw: true;
}

/** What this server understands of a runner's reasons (runner-api.md §3.3). */
const failureReasons = [
  'script_failure',
  'runner_system_failure',
  'job_execution_timeout',
  'image_pull_failure',
  'unknown_failure',
  'runner_interrupted',
  'runner_configuration_error',
  'runner_external_dependency_failure',
  'job_canceled',
];

/**
 * The job as a runner gets it (runner-api.md §2.4): numbers as numbers, optional things left out rather than sent in a form that does not decode.
 * Pure.
 *
 * @param token of the job; opens its repository, its log and its reports while it runs
 */
export function jobPayload(
  job: HandedOutJob,
  project: ProjectForCreation,
  server: Server,
  token: string,
  now: Date,
): Record<string, unknown> {
  const { pipeline, definition } = job;
  const { options } = definition;
  const variables = jobVariables(job, project, server, token, now);
  const timeout = job.timeoutSeconds;
  const step = (name: string, script: string[], when: string, allow_failure: boolean) => ({
    name,
    script,
    timeout,
    when,
    allow_failure,
  });
  const depth = Number(variables.find(({ key }) => key === 'GIT_DEPTH')?.value ?? project.gitDepth);
  return {
    id: job.id,
    token,
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
      user_id: job.user.id,
      time_in_queue_seconds: job.waited,
      project_jobs_running_on_instance_runners_count: '0',
    },
    git_info: {
      repo_url: repositoryUrl(server, project, token),
      ref: pipeline.ref,
      sha: pipeline.sha,
      before_sha: noSha,
      ref_type: pipeline.tag ? 'tag' : 'branch',
      // The pinned commit alone: a branch that has moved or is gone must not keep the job from it (runner-api.md §2.8).
      refspecs: [`+refs/pipelines/${pipeline.id}:refs/pipelines/${pipeline.id}`],
      depth: Number.isInteger(depth) && depth >= 0 ? depth : project.gitDepth,
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
    ...(options.hooks && { hooks: [{ name: 'pre_get_sources_script', script: options.hooks.preGetSourcesScript }] }),
    ...(options.image && { image: imageOf(options.image) }),
    services: options.services.map((service) => ({
      ...imageOf(service),
      alias: service.alias ?? '',
      command: service.command ?? null,
      variables: (service.variables ?? []).map(({ key, value }) => ({ key, value })),
    })),
    credentials: [],
    dependencies: [],
    features: { trace_sections: true, failure_reasons: failureReasons },
  };
}

function imageOf({ name, entrypoint, pullPolicy }: { name: string; entrypoint?: string[]; pullPolicy?: string[] }) {
  return { name, entrypoint: entrypoint ?? null, ports: [], pull_policy: pullPolicy ?? null };
}

function repositoryUrl({ externalUrl }: Server, project: ProjectForCreation, token: string): string {
  const url = new URL(`${externalUrl}/${project.path}.git`);
  url.username = 'gitlab-ci-token';
  url.password = token;
  return url.href;
}

/**
 * The variables in GitLab's order of precedence (ci-config.md §4.1), expanded here, so that the runner takes every value as it is. An unknown
 * name stays as it was written: the job's shell may know it.
 */
function jobVariables(
  job: HandedOutJob,
  project: ProjectForCreation,
  server: Server,
  token: string,
  now: Date,
): SentVariable[] {
  const { pipeline, definition } = job;
  const masked = new Set(project.variables.filter((variable) => variable.masked).map(({ key }) => key));
  const settings = project.variables.filter(
    (variable) => (pipeline.protected || !variable.protected) && scopeFits(variable.environmentScope, definition),
  );
  const layers: Variable[] = [
    ...jobPredefinedVariables({ ...definition, when: definition.when }),
    ...serverVariables(server),
    ...projectVariables(projectIdentity(project), server),
    ...pipelineVariables(pipeline),
    ...runTimeVariables(job, project, server, token, now),
    ...definition.variables,
    ...userVariables(job.user),
    ...settings.map(({ key, value, raw, variableType }) => ({ key, value, raw, file: variableType === 'file' })),
    ...pipeline.variables.map(({ key, value, type }) =>
      type === 'file' ? { key, value, file: true, raw: true } : { key, value },
    ),
    ...(job.playedVariables ?? []),
  ];
  const last = [...new Map(layers.map((variable) => [variable.key, variable])).values()];
  const expanded = expandVariables(last, 'runner');
  // A circle of references was refused when the pipeline was created; one that a settings variable made since is sent as written.
  const variables = expanded.ok ? expanded.variables : last;
  return variables.map(({ key, value, file }) => ({
    key,
    value,
    public: key !== 'CI_JOB_TOKEN' && key !== 'CI_REPOSITORY_URL' && !masked.has(key),
    masked: key === 'CI_JOB_TOKEN' || masked.has(key),
    ...(file && { file: true as const }),
    raw: true,
  }));
}

function scopeFits(scope: string, { environment }: Job): boolean {
  if (scope === '*') return true;
  if (!environment) return false;
  return scope.endsWith('*') ? environment.name.startsWith(scope.slice(0, -1)) : environment.name === scope;
}

/** What is known only now that the job runs (ci-config.md §4.4, last paragraph). */
function runTimeVariables(
  job: HandedOutJob,
  project: ProjectForCreation,
  server: Server,
  token: string,
  now: Date,
): Variable[] {
  const { pipeline } = job;
  const url = `${server.externalUrl}/${project.path}`;
  const values: Record<string, string> = {
    CI_PIPELINE_ID: String(pipeline.id),
    CI_PIPELINE_URL: `${url}/-/pipelines/${pipeline.id}`,
    ...(pipeline.name === null ? {} : { CI_PIPELINE_NAME: pipeline.name }),
    ...(pipeline.triggerShortToken === null
      ? {}
      : { CI_PIPELINE_TRIGGERED: 'true', CI_TRIGGER_SHORT_TOKEN: pipeline.triggerShortToken }),
    CI_JOB_ID: String(job.id),
    CI_JOB_URL: `${url}/-/jobs/${job.id}`,
    CI_JOB_TOKEN: token,
    CI_JOB_STARTED_AT: now.toISOString().replace(/\.\d+Z$/, 'Z'),
    CI_JOB_TIMEOUT: String(job.timeoutSeconds),
    ...(job.definition.options.image ? { CI_JOB_IMAGE: job.definition.options.image.name } : {}),
    ...(job.when === 'manual' ? { CI_JOB_MANUAL: 'true' } : {}),
    CI_REPOSITORY_URL: repositoryUrl(server, project, token),
  };
  return Object.entries(values).map(([key, value]) => ({ key, value, raw: true }));
}
