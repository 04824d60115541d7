import type { IncludedFile, WantedFiles } from './config-files.js';
import type { WrittenJob } from './keywords/job.js';
import type { JobRule } from './keywords/job-rules.js';
import type { DescribedVariable } from './keywords/variables.js';
import type { Workflow } from './keywords/workflow.js';
import type { Need, Variable } from './job.js';
import type { Limits } from './limits.js';
import type { Problem } from './problem.js';
import type { YamlMap } from './yaml/values.js';

/** Needs with the names of instances in place of base names. At most one more than allowed is listed; `count` is all. */
export interface ExpandedNeeds {
  list: Need[];
  count: number;
}

export interface ExpandedRule extends Omit<JobRule, 'needs'> {
  needs?: ExpandedNeeds | undefined;
}

/** One job, or one instance of a `parallel` job, with everything told that does not depend on a pipeline. */
export interface ConfiguredJob extends Omit<WrittenJob, 'needs' | 'parallel' | 'rules'> {
  stageIdx: number;
  rules: ExpandedRule[] | null | undefined;
  needs: ExpandedNeeds | undefined;
  parallel: { index: number; total: number } | undefined;
  matrixVariables: Variable[] | undefined;
}

/** A checked configuration: steps 1–9 of ci-config.md §0 done. Never changed, so it can be kept and shared. */
export interface CiConfig {
  /** All stages, `.pre` first, `.post` last. */
  stages: string[];
  /** In the order of the result: by stage, inside a stage by first appearance. */
  jobs: ConfiguredJob[];
  variables: Variable[];
  /** Those of them that have a description. */
  described: DescribedVariable[];
  workflow: Workflow;
  warnings: string[];
  /** Some rule asks which files exist: `PipelineContext.listFiles` will be called. */
  usesFileList: boolean;
  /** Some rule asks which files exist in another project: `PipelineContext.filesOf` will be called. */
  usesOtherProjects: boolean;
  /** Some rule has `compare_to`: `PipelineContext.changedSince` will be called. */
  usesCompareTo: boolean;
  limits: Limits;
}

interface Parsed {
  /** The file after includes, `extends` and references, for `mergedYaml`; absent when it did not get that far. */
  merged?: YamlMap;
  includes: IncludedFile[];
  /**
   * The result holds wherever the file, the included files and `ConfigFiles.inputs` are the same; else only for the same answers
   * and values of ConfigFiles.
   */
  cacheable: boolean;
}

export type ParsedConfig =
  | (Parsed & { ok: true; config: CiConfig })
  | (Parsed & {
      ok: false;
      /** In the order of checks: creation takes the first, lint shows all. Empty only when `wanted` is set. */
      problems: Problem[];
      /** What `ConfigFiles` answered `undefined` for: read it and parse again. */
      wanted?: WantedFiles;
    });
