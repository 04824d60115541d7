import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile, type PipelineContext, type Plan } from './index.js';
import { filesOf, triggered } from './testing/contexts.js';

/**
 * Each case is two files of `golden/<area>/`: `<name>.yml`, and `<name>.json` with what should come of it under one or several
 * circumstances. Of the jobs only what is written in `expected` is compared, so that a case says what it is about.
 */
interface GoldenCase {
  /** Files for `include`. */
  files?: Record<string, string>;
  runs: {
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
  stages?: string[];
  /** Names in order. */
  names?: string[];
  leftOut?: { job: string; rule: string }[];
  /** Parts of jobs, by name; null for a part that should be absent. */
  jobs?: Record<string, object>;
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
  const shown = golden.runs.map(({ context: { files = [], ...context } = {}, expected }) =>
    show(compile(text, filesOf(golden.files ?? {}), triggered({ ...context, listFiles: () => files })), expected),
  );
  expect(shown).toEqual(golden.runs.map(({ expected }) => expected));
});

/** The plan, cut down to what the case speaks of. */
function show(plan: Plan, expected: Expected): Expected {
  const shown: Expected = { ok: plan.ok };
  if (plan.warnings.length > 0 || expected.warnings) shown.warnings = plan.warnings;
  if (expected.leftOut) shown.leftOut = plan.leftOut ?? [];
  if (!plan.ok) return { ...shown, reason: plan.reason, errors: plan.errors };
  if (plan.name !== undefined) shown.name = plan.name;
  if (expected.stages) shown.stages = plan.stages;
  shown.names = plan.jobs.map(({ name }) => name);
  if (expected.jobs) {
    const parts = Object.entries(expected.jobs).map(([name, part]) => {
      const job = plan.jobs.find((candidate) => candidate.name === name) ?? {};
      return [
        name,
        Object.fromEntries(Object.keys(part).map((key) => [key, (job as Record<string, unknown>)[key] ?? null])),
      ];
    });
    shown.jobs = Object.fromEntries(parts) as Record<string, object>;
  }
  return shown;
}
