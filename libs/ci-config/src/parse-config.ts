import type { CiConfig, ConfiguredJob, ParsedConfig } from './ci-config.js';
import type { ConfigFiles } from './config-files.js';
import { checkJobsTogether } from './jobs/cross-checks.js';
import { expandParallel, instancesPerAllowedJob, sizeLimitText } from './jobs/expand-parallel.js';
import { readStages } from './jobs/stages.js';
import { readDefaults } from './keywords/default-keywords.js';
import { readJob, type WrittenJob } from './keywords/job.js';
import { Place } from './keywords/place.js';
import { readVariables } from './keywords/variables.js';
import { readWorkflow } from './keywords/workflow.js';
import { defaultLimits, type Limits } from './limits.js';
import { ConfigError } from './config-error.js';
import { MergeBudget, expandedSize } from './merge/deep-merge.js';
import { applyExtends } from './merge/extends.js';
import { resolveIncludes, type IncludeReport } from './merge/include.js';
import { resolveReferences } from './merge/reference.js';
import { clip, type Problem } from './problem.js';
import { writeYaml } from './yaml/plain.js';
import { YamlError, readYaml } from './yaml/read-yaml.js';
import { YamlMap, type Value } from './yaml/values.js';

/** Root keys that never name a job (ci-config.md §7). */
const reservedKeys = [
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
];
/** Entries that merging may copy, as a share of the size of the result. */
const charactersPerEntry = 16;

/**
 * Steps 1–9 of ci-config.md §0: text and included files in, a checked configuration or its problems out. Never throws, whatever
 * the text; pure, so a result with `cacheable` holds wherever the text and the included files are the same.
 */
export function parseConfig(text: string, files: ConfigFiles, limits: Limits = defaultLimits): ParsedConfig {
  const report: IncludeReport = { files: [], dependsOnCircumstances: false, wantedFiles: [], wantsFileList: false };
  let merged: YamlMap | undefined;
  try {
    const root = resolveIncludes(
      readRoot(text, limits),
      files,
      limits,
      new MergeBudget(limits.expandedSize / charactersPerEntry),
      report,
    );
    if (report.wantedFiles.length > 0 || report.wantsFileList)
      return { ok: false, problems: [], ...outcome(report), wanted: wanted(report) };
    merged = compose(root, limits);
    const problems: Problem[] = [];
    const config = configure(new Place('', [], merged, problems), limits);
    if (problems.length > 0) {
      const clipped = problems.map((problem) => ({ ...problem, message: clip(problem.message) }));
      return { ok: false, problems: clipped, merged, ...outcome(report) };
    }
    return { ok: true, config, merged, ...outcome(report) };
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof YamlError)) throw error;
    const problem: Problem = { message: clip(error.message) };
    if (error instanceof ConfigError && error.path) problem.path = error.path;
    if (error.line !== undefined) problem.line = error.line;
    return { ok: false, problems: [problem], ...(merged && { merged }), ...outcome(report) };
  }
}

/** The file with everything put in its place, as CI Lint shows it; null when it did not get that far. */
export function mergedYaml(parsed: ParsedConfig): string | null {
  return parsed.merged ? writeYaml(parsed.merged) : null;
}

function outcome(report: IncludeReport): { includes: string[]; cacheable: boolean } {
  return { includes: report.files, cacheable: !report.dependsOnCircumstances };
}

function wanted(report: IncludeReport): { files: string[]; fileList: boolean } {
  return { files: report.wantedFiles, fileList: report.wantsFileList };
}

/** Step 1: the document, after its header if it has one. */
function readRoot(text: string, limits: Limits): YamlMap {
  if (text.trim() === '') throw new ConfigError('Please provide content of .gitlab-ci.yml');
  const documents = readYaml(text, limits);
  while (documents.length > 1 && documents.at(-1) === null) documents.pop();
  const header = documents.length > 1 ? documents[0] : undefined;
  const hasHeader = header instanceof YamlMap && header.has('spec');
  if (documents.length > (hasHeader ? 2 : 1))
    throw new ConfigError('Only one document is allowed, or two when the first one has the key `spec`');
  if (hasHeader) checkHeader(header);
  const root: Value | undefined = documents[hasHeader ? 1 : 0];
  if (!(root instanceof YamlMap)) throw new ConfigError('Invalid configuration format');
  return root;
}

function checkHeader(header: YamlMap): void {
  const place = new Place('header', [], header);
  place.checkKeys(['spec']);
  const spec = place.child('spec', 'header:spec');
  if (spec.value !== null && !(spec.value instanceof YamlMap)) spec.problem('config should be a hash');
  spec.checkKeys(['inputs', 'include', 'component', 'description']);
  for (const key of ['inputs', 'include', 'component'])
    if (spec.has(key)) spec.exactProblem(`\`spec:${key}\` is not supported by this server`, key);
  place.throwFirst();
}

/** Steps 4 and 5. */
function compose(root: YamlMap, limits: Limits): YamlMap {
  const extended = applyExtends(root, new MergeBudget(limits.expandedSize / charactersPerEntry));
  const composed = resolveReferences(extended);
  if (expandedSize(composed, limits.depth) > limits.expandedSize) throw new ConfigError('The parsed YAML is too big');
  return composed;
}

/** Steps 6–9. Faults of keywords are noted at the place; with any of them the steps after would only repeat them. */
function configure(root: Place, limits: Limits): CiConfig {
  if (root.get('spec') !== undefined) root.problem('config contains unknown keys: spec', 'spec');
  const defaults = readDefaults(root);
  const variables = root.has('variables') ? readVariables(root.child('variables'), 'root') : [];
  const stages = readStages(root);
  const workflow = root.has('workflow') ? readWorkflow(root.child('workflow')) : {};
  const written: WrittenJob[] = [];
  let visible = 0;
  for (const name of (root.value as YamlMap).keys()) {
    if (reservedKeys.includes(name) || name.startsWith('.')) continue;
    visible += 1;
    if (visible > limits.jobs * instancesPerAllowedJob) throw new ConfigError(sizeLimitText(limits.jobs));
    const place = root.child(name, `jobs:${name}`);
    if ((root.value as YamlMap).nonTextKeys.has(name)) place.problem('name should be a text: put it in quotes');
    const job = readJob(place, name, defaults, limits);
    if (job) written.push(job);
  }
  if (visible === 0) root.exactProblem('jobs config should contain at least one visible job');
  const usable = root.problems.length === 0;
  const expanded = usable ? expandParallel(written, stages, limits) : [];
  checkJobsTogether(expanded, stages);
  const jobs = expanded.toSorted((a, b) => a.stageIdx - b.stageIdx);
  return {
    stages,
    jobs,
    variables,
    workflow,
    warnings: warningsOf(written, workflow, root),
    ...usesOf(jobs, workflow),
    limits,
  };
}

/** What is asked of the repository while planning. */
function usesOf(
  jobs: readonly ConfiguredJob[],
  workflow: CiConfig['workflow'],
): { usesFileList: boolean; usesCompareTo: boolean } {
  const rules = [...(workflow.rules ?? []), ...jobs.flatMap((job) => job.rules ?? [])];
  return {
    usesFileList: rules.some((rule) => rule.exists !== undefined),
    usesCompareTo: rules.some((rule) => rule.changes?.compareTo !== undefined),
  };
}

function warningsOf(jobs: readonly WrittenJob[], workflow: CiConfig['workflow'], root: Place): string[] {
  const warnings: string[] = [];
  if (root.has('workflow') && root.child('workflow').has('auto_cancel'))
    warnings.push('workflow:auto_cancel is not acted on by this server');
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
