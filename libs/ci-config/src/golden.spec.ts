import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  mergedYaml,
  parseConfig,
  planPipeline,
  type IncludedFile,
  type ParsedConfig,
  type PipelineContext,
  type Plan,
  type Problem,
  type ProjectRefusal,
} from './index.js';
import { filesOf, triggered } from './testing/contexts.js';

/**
 * Each case is two files of `golden/<area>/`: `<name>.yml`, and `<name>.json` with what should come of it under one or several
 * circumstances. Of the jobs only what is written in `expected` is compared, so that a case says what it is about.
 */
interface GoldenCase {
  /** Files for `include`. */
  files?: Record<string, string>;
  /** The same of other projects, by `group/project` or `group/project@ref`; or why there is none. */
  projects?: Record<string, Record<string, string> | ProjectRefusal>;
  runs: {
    inputs?: Record<string, unknown>;
    /** `files`: paths for `rules:exists`. */
    context?: Partial<PipelineContext> & { files?: string[] };
    expected: Expected;
  }[];
}

interface Expected {
  ok: boolean;
  reason?: string;
  errors?: string[];
  warnings?: string[];
  name?: string;
  autoCancel?: object;
  stages?: string[];
  /** Names in order. */
  names?: string[];
  leftOut?: { job: string; rule: string }[];
  /** Parts of jobs, by name; null for a part that should be absent, `options.image` for a part of a part. */
  jobs?: Record<string, object>;
  /** What is wrong with the file, with the places. */
  problems?: Problem[];
  includes?: IncludedFile[];
  /** The file with everything put in its place. */
  merged?: string;
}

const folder = join(dirname(fileURLToPath(import.meta.url)), 'golden');
const cases = readdirSync(folder).flatMap((area) =>
  readdirSync(join(folder, area))
    .filter((file) => file.endsWith('.yml'))
    .map((file) => join(area, file.replace(/\.yml$/, ''))),
);

test.each(cases)('%s', (name) => {
  const text = readFileSync(join(folder, `${name}.yml`), 'utf8');
  const golden = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as GoldenCase;
  const shown = golden.runs.map(({ inputs, context: { files = [], ...changes } = {}, expected }) => {
    const filesIn = (project: string, ref: string | null) =>
      projectOf(golden, ref === null ? project : `${project}@${ref}`);
    const context = triggered({ ...changes, listFiles: () => files, filesOf: (...at) => pathsOf(filesIn(...at)) });
    const variables = [...context.predefined, ...context.projectVariables, ...context.pipelineVariables];
    const parsed = parseConfig(text, {
      ...filesOf(golden.files ?? {}, { variables, changedFiles: context.changedFiles }),
      ...(inputs && { inputs }),
      openProject: filesIn,
    });
    return show(parsed, parsed.ok ? planPipeline(parsed.config, context) : null, expected);
  });
  expect(shown).toEqual(golden.runs.map(({ expected }) => expected));
});

function projectOf({ projects = {} }: GoldenCase, name: string) {
  const project = projects[name] ?? 'no such project';
  return typeof project === 'string' ? project : filesOf(project);
}

function pathsOf(project: ReturnType<typeof projectOf>) {
  return typeof project === 'string' ? project : (project.listFiles() ?? []);
}

/** What came of the case, cut down to what it speaks of. */
function show(parsed: ParsedConfig, plan: Plan | null, expected: Expected): Expected {
  const warnings = plan?.warnings ?? [];
  const shown: Expected = { ok: plan?.ok ?? false };
  if (warnings.length > 0 || expected.warnings) shown.warnings = warnings;
  if (expected.leftOut) shown.leftOut = plan?.leftOut ?? [];
  if (expected.includes) shown.includes = parsed.includes;
  if (expected.merged !== undefined) shown.merged = mergedYaml(parsed) ?? '';
  if (!parsed.ok && expected.problems) return { ...shown, problems: parsed.problems };
  if (!parsed.ok) return { ...shown, reason: 'config_error', errors: parsed.problems.map(({ message }) => message) };
  if (!plan?.ok) return { ...shown, reason: plan?.reason ?? '', errors: plan?.errors ?? [] };
  if (plan.name !== undefined) shown.name = plan.name;
  if (plan.autoCancel) shown.autoCancel = plan.autoCancel;
  if (expected.stages) shown.stages = plan.stages;
  shown.names = plan.jobs.map(({ name }) => name);
  if (expected.jobs) {
    const parts = Object.entries(expected.jobs).map(([name, part]) => {
      const job = plan.jobs.find((candidate) => candidate.name === name) ?? {};
      return [name, Object.fromEntries(Object.keys(part).map((key) => [key, partOf(job, key)]))];
    });
    shown.jobs = Object.fromEntries(parts) as Record<string, object>;
  }
  return shown;
}

function partOf(value: object, path: string): unknown {
  return path.split('.').reduce<unknown>((part, key) => (part as Record<string, unknown> | null)?.[key] ?? null, value);
}
