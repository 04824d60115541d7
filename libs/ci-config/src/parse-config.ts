import type { CiConfig, ConfiguredJob, ParsedConfig } from './ci-config.js';
import { ConfigError } from './config-error.js';
import type { ConfigFiles, WantedFiles } from './config-files.js';
import { checkJobsTogether } from './jobs/cross-checks.js';
import { expandParallel, instancesPerAllowedJob, sizeLimitText } from './jobs/expand-parallel.js';
import { readStages } from './jobs/stages.js';
import { readDefaults, type DefaultKeywords } from './keywords/default-keywords.js';
import { readJob, type WrittenJob } from './keywords/job.js';
import { Checks, Place, type Fault } from './keywords/place.js';
import { describedVariables, readVariables } from './keywords/variables.js';
import { readWorkflow } from './keywords/workflow.js';
import { defaultLimits, type Limits } from './limits.js';
import { MergeBudget, checkExpandedSize } from './merge/deep-merge.js';
import { applyExtends } from './merge/extends.js';
import { resolveIncludes, type IncludeReport } from './merge/include.js';
import { resolveReferences } from './merge/reference.js';
import { clip, type Problem } from './problem.js';
import { writeYaml } from './yaml/plain.js';
import { readYaml } from './yaml/read-yaml.js';
import { Sources } from './yaml/sources.js';
import type { YamlMap } from './yaml/values.js';

/** Root keys that never name a job (ci-config.md §7). */
const reservedKeys = new Set([
  'default',
  'include',
  'before_script',
  'image',
  'services',
  'after_script',
  'variables',
  'stages',
  'cache',
  'workflow',
  'spec',
]);
/** Entries that merging may copy, as a share of the size of the result. */
const charactersPerEntry = 16;

/**
 * Steps 1–9 of ci-config.md §0: text and included files in, a checked configuration or its problems out. Never throws, whatever
 * the text; pure, so a result with `cacheable` holds wherever the text, the included files and the inputs are the same.
 */
export function parseConfig(text: string, files: ConfigFiles, limits: Limits = defaultLimits): ParsedConfig {
  const sources = new Sources();
  const wanted: WantedFiles = { files: [], fileList: false, projects: [] };
  const report: IncludeReport = { files: [], dependsOnCircumstances: false, wanted };
  const outcome = () => ({ includes: report.files, cacheable: !report.dependsOnCircumstances });
  const problemOf = ({ message, path, position }: Omit<Fault, 'path'> & { path?: string[] | undefined }): Problem => ({
    message: clip(message),
    ...(path && { path }),
    ...(position !== undefined && sources.locate(position)),
  });
  let merged: YamlMap | undefined;
  try {
    if (text.trim() === '') throw new ConfigError('Please provide content of .gitlab-ci.yml');
    const budget = new MergeBudget(limits.expandedSize / charactersPerEntry);
    const root = resolveIncludes(readYaml(text, limits, sources), { files, limits, budget, sources, report });
    if (wanted.files.length > 0 || wanted.fileList || wanted.projects.length > 0)
      return { ok: false, problems: [], ...outcome(), wanted };
    merged = compose(root, limits);
    const checks = new Checks();
    const config = configure(merged, checks, limits);
    if (checks.faults.length > 0) return { ok: false, problems: checks.faults.map(problemOf), merged, ...outcome() };
    return { ok: true, config, merged, ...outcome() };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { ok: false, problems: [problemOf(error)], ...(merged && { merged }), ...outcome() };
  }
}

/** The file with everything put in its place, as CI Lint shows it; null when it did not get that far. */
export function mergedYaml(parsed: ParsedConfig): string | null {
  return parsed.merged ? writeYaml(parsed.merged) : null;
}

/** Steps 4 and 5. */
function compose(root: YamlMap, limits: Limits): YamlMap {
  const extended = applyExtends(root, new MergeBudget(limits.expandedSize / charactersPerEntry));
  checkExpandedSize(extended, limits.expandedSize, limits.depth);
  const composed = resolveReferences(extended);
  if (composed === extended) return composed;
  checkExpandedSize(composed, limits.expandedSize, limits.depth);
  return composed;
}

/** Steps 6–9. Faults of keywords are noted; with any of them the steps after would only repeat them. */
function configure(merged: YamlMap, checks: Checks, limits: Limits): CiConfig {
  const root = Place.root(merged, checks);
  if (root.get('spec') !== undefined) root.problem('config contains unknown keys: spec', 'spec');
  const defaults = readDefaults(root);
  const variables = root.has('variables') ? readVariables(root.child('variables'), 'root') : [];
  const stages = readStages(root);
  const workflow = root.has('workflow') ? readWorkflow(root.child('workflow')) : {};
  const written = readJobs(root, merged, defaults, limits);
  const expanded = checks.faults.length === 0 ? expandParallel(written, stages, limits) : [];
  checkJobsTogether(expanded, stages);
  const jobs = expanded.toSorted((a, b) => a.stageIdx - b.stageIdx);
  return {
    stages,
    jobs,
    variables,
    described: describedVariables(root.child('variables')),
    workflow,
    warnings: warningsOf(written, workflow),
    ...usesOf(jobs, workflow),
    limits,
  };
}

function readJobs(root: Place, merged: YamlMap, defaults: DefaultKeywords, limits: Limits): WrittenJob[] {
  const written: WrittenJob[] = [];
  let visible = 0;
  merged.forEachPlaced((name, _, position, isText) => {
    if (reservedKeys.has(name) || name.startsWith('.')) return;
    visible += 1;
    if (visible > limits.jobs * instancesPerAllowedJob) throw new ConfigError(sizeLimitText(limits.jobs));
    const place = root.child(name, `jobs:${name}`);
    if (!isText) place.problem('name should be a text: put it in quotes');
    const job = readJob(place, name, position, defaults, limits);
    if (job) written.push(job);
  });
  if (visible === 0) root.exactProblem('jobs config should contain at least one visible job');
  return written;
}

/** What is asked of the repository while planning. */
function usesOf(
  jobs: readonly ConfiguredJob[],
  workflow: CiConfig['workflow'],
): Pick<CiConfig, 'usesFileList' | 'usesOtherProjects' | 'usesCompareTo'> {
  const rules = [...(workflow.rules ?? []), ...jobs.flatMap((job) => job.rules ?? [])];
  return {
    usesFileList: rules.some((rule) => rule.exists !== undefined && rule.exists.project === undefined),
    usesOtherProjects: rules.some((rule) => rule.exists?.project !== undefined),
    usesCompareTo: rules.some((rule) => rule.changes?.compareTo !== undefined),
  };
}

function warningsOf(jobs: readonly WrittenJob[], workflow: CiConfig['workflow']): string[] {
  const warnings: string[] = [];
  if (workflow.rules) return warnings;
  for (const job of jobs) {
    const last = job.rules?.at(-1);
    if (last?.when !== undefined && last.when !== 'never' && !last.if && !last.changes && !last.exists)
      warnings.push(
        `jobs:${job.name} may allow multiple pipelines to run for a single action due to \`rules:when\` clause with no \`workflow:rules\` - read more: https://docs.gitlab.com/ci/jobs/job_troubleshooting/#job-may-allow-multiple-pipelines-to-run-for-a-single-action-warning`,
      );
  }
  return warnings;
}
