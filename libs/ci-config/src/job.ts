/** What a job is once the file has been compiled: everything normalised, durations in seconds. Shape: ci-config.md §0. */

export const jobWhens = ['on_success', 'on_failure', 'always', 'manual', 'delayed'] as const;
export type JobWhen = (typeof jobWhens)[number];

/** A variable. `raw`: `$` in its value is plain text. `file`: the value is a file's content. */
export interface Variable {
  key: string;
  value: string;
  raw?: boolean;
  file?: boolean;
}

export interface Need {
  name: string;
  artifacts: boolean;
  optional: boolean;
}

/** `stage`: waits for all jobs of earlier stages. `dag`: has `needs` and waits for these alone (ci-config.md §6.1). */
export type Scheduling = 'stage' | 'dag';

export interface Environment {
  name: string;
  url?: string;
  action: string;
  onStop?: string;
  autoStopIn?: string;
  deploymentTier?: string;
}

export interface Retry {
  max: number;
  when?: string[];
  exitCodes?: number[];
}

/** What cancels a pipeline; absent = GitLab's default (ci-config.md §6.5). */
export interface AutoCancel {
  onNewCommit?: 'conservative' | 'interruptible' | 'none';
  onJobFailure?: 'none' | 'all';
}

/** The pipeline that a job starts. */
export interface Trigger {
  /**
   * In another project at the head of a branch (absent: the default branch), or a child in the same project and at the same
   * commit, with the configuration written here.
   */
  to: { project: string; branch?: string } | { config: string };
  /** Absent: the job is done as soon as the pipeline is there. `depend` and `mirror`: it ends when that pipeline does. */
  strategy?: 'depend' | 'mirror';
  /** What of this pipeline's variables goes down: those of the job, and those that were sent with the call. */
  forward: { yamlVariables: boolean; pipelineVariables: boolean };
  inputs?: Record<string, unknown>;
}

/** Artifacts of a job of another pipeline. */
export interface PipelineNeed {
  /** Id, usually a variable. */
  pipeline: string;
  job: string;
  artifacts: boolean;
}

export interface Release {
  tagName: string;
  tagMessage?: string;
  name?: string;
  description: string;
  ref?: string;
  releasedAt?: string;
  milestones?: string[];
  assets?: Record<string, unknown>;
}

export interface Image {
  name: string;
  entrypoint?: string[];
  /** `docker`, `kubernetes` options as written. */
  executorOptions?: Record<string, unknown>;
  pullPolicy?: string[];
}

export interface Service extends Image {
  alias?: string;
  command?: string[];
  variables?: Variable[];
}

export interface Artifacts {
  name?: string;
  paths?: string[];
  exclude?: string[];
  untracked?: boolean;
  when?: 'on_success' | 'on_failure' | 'always';
  /** As written (`1 week`, `never`): the coordinator decides what it means today. */
  expireIn?: string;
  exposeAs?: string;
  public?: boolean;
  access?: string;
  reports?: Record<string, unknown>;
}

export interface Cache {
  /** Text, or computed by the runner's side from files of the repository. */
  key?: string | { files?: string[]; filesCommits?: string[]; prefix?: string };
  fallbackKeys?: string[];
  paths?: string[];
  untracked?: boolean;
  unprotect?: boolean;
  policy: string;
  when: 'on_success' | 'on_failure' | 'always';
}

/** What the runner gets; the scheduler does not look at it. */
export interface JobOptions {
  script: string[];
  beforeScript: string[];
  afterScript: string[];
  image?: Image;
  services: Service[];
  artifacts?: Artifacts;
  cache: Cache[];
  /** Regular expression without its slashes. */
  coverage?: string;
  hooks?: { preGetSourcesScript: string[] };
  release?: Release | undefined;
}

export interface Job {
  name: string;
  stage: string;
  /** Position of the stage in the whole list of stages, `.pre` being 0: comparable, not contiguous. */
  stageIdx: number;
  when: JobWhen;
  /** Seconds; only with `when: delayed`. */
  startIn?: number;
  allowFailure: boolean;
  allowFailureExitCodes?: number[];
  scheduling: Scheduling;
  /** Only jobs that are in this pipeline: optional needs that are not have been left out. */
  needs: Need[];
  /** Jobs of other pipelines whose artifacts are fetched. */
  pipelineNeeds?: PipelineNeed[];
  /** It runs no script, but takes over the status of this project's latest pipeline. */
  mirrors?: string;
  /** It runs no script, but starts a pipeline. */
  trigger?: Trigger;
  /** Jobs whose artifacts are fetched; absent = all there are, [] = none. */
  dependencies?: string[];
  /** The variables of the file, in order of precedence already applied: one entry per key (ci-config.md §4.1, line 4). */
  variables: Variable[];
  tags: string[];
  environment?: Environment;
  resourceGroup?: string;
  interruptible?: boolean;
  retry?: Retry;
  /** Seconds. */
  timeout?: number;
  parallel?: { index: number; total: number };
  options: JobOptions;
}
