/** The pure compiler of `.gitlab-ci.yml`: text and circumstances in, a plan or problems out. Imports nothing of the project. */
export type {
  Artifacts,
  AutoCancel,
  Cache,
  Environment,
  Image,
  Job,
  JobOptions,
  JobWhen,
  Need,
  PipelineNeed,
  Release,
  Retry,
  Scheduling,
  Service,
  Trigger,
  Variable,
} from './job.js';
export type { LeftOut, PipelineContext, Plan, RefusalReason } from './plan.js';
export type { Problem } from './problem.js';
export { defaultLimits, type Limits } from './limits.js';
export {
  noFiles,
  type ConfigFiles,
  type IncludedFile,
  type ProjectRefusal,
  type RepositoryFiles,
  type WantedFiles,
} from './config-files.js';
export { compositeStatus, type Status, type StatusOfJob } from './processing/composite-status.js';
export { nextStatuses, type ProcessableJob } from './processing/next-statuses.js';
export {
  expandOnce,
  expandText,
  expandVariables,
  type ExpandedText,
  type ExpandedVariables,
  type ExpansionMode,
  type FindVariable,
} from './variables/expand-variables.js';
export type { CiConfig, ParsedConfig } from './ci-config.js';
export { compile } from './compile.js';
export { mergedYaml, parseConfig } from './parse-config.js';
export { compileGlob, type PathTest } from './paths/glob.js';
export { isEnvironmentName } from './keywords/environment.js';
export { parseDuration } from './keywords/duration.js';
export type { DescribedVariable } from './keywords/variables.js';
export { jobPredefinedVariables, type JobOutline } from './planning/pipeline-variables.js';
export { readRunForm, type FormInput, type RunForm } from './run-form.js';
export { planPipeline } from './planning/plan-pipeline.js';
