import type { ProjectRefusal } from './config-files.js';
import type { AutoCancel, Job, Variable } from './job.js';

/** Circumstances of one pipeline, all as values: nothing is looked up while planning. */
export interface PipelineContext {
  /** Name of the branch or tag, without `refs/heads/` or `refs/tags/`. */
  ref: string;
  refType: 'branch' | 'tag';
  /** `CI_PIPELINE_SOURCE`: `trigger`, `push`, `api`, … */
  source: string;
  projectPath: string;
  /** The trigger, when there is one: gives `CI_PIPELINE_TRIGGERED` and `CI_TRIGGER_SHORT_TOKEN`. */
  trigger?: { shortToken: string };
  /** Layers of ci-config.md §4.1, each in order, later entries winning: 2–3, */
  predefined: readonly Variable[];
  /** 5 (`GITLAB_USER_*`), */
  userVariables: readonly Variable[];
  /** 7 (settings of installation, group, project), */
  projectVariables: readonly Variable[];
  /** 8 (sent with the call). */
  pipelineVariables: readonly Variable[];
  /** Paths of all files at the commit; asked only when `CiConfig.usesFileList`. */
  listFiles: () => readonly string[];
  /** The same of another project at a ref, or, with null, at the head of its default branch; asked only when `CiConfig.usesOtherProjects`. */
  filesOf?: (project: string, ref: string | null) => readonly string[] | ProjectRefusal;
  /** Changed paths of a push to an existing branch; null = cannot be known, as for every triggered pipeline. */
  changedFiles: readonly string[] | null;
  /** Paths changed since the merge base with a ref, null when there is no such ref; asked only when `CiConfig.usesCompareTo`. */
  changedSince?: (ref: string) => readonly string[] | null;
}

export type RefusalReason = 'config_error' | 'filtered_by_rules' | 'filtered_by_workflow_rules' | 'size_limit_exceeded';

/** Why a job is not in the pipeline: the rule that said no, or that none said yes. */
export interface LeftOut {
  job: string;
  rule: string;
}

export type Plan =
  | {
      ok: true;
      name?: string;
      autoCancel?: AutoCancel;
      stages: string[];
      jobs: Job[];
      leftOut: LeftOut[];
      warnings: string[];
    }
  | { ok: false; reason: RefusalReason; errors: string[]; leftOut?: LeftOut[]; warnings: string[] };
