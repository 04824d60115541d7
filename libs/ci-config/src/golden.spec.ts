import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile, type PipelineContext, type Plan } from './index.js';
import { filesOf, triggered } from './testing/contexts.js';

/**
 * Each case is two files of `golden/<area>/`: `<name>.yml`, and `<name>.json` with what should come of it under one or several
 * circumstances. Only what is written in `expected` is compared, so that a case says what it is about.
 */
interface GoldenCase {
  files?: Record<string, string>;
  runs: { context?: Partial<PipelineContext> & { files?: string[] }; expected: Expected }[];
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
  /** Parts of jobs, by name. */
  jobs?: Record<string, object>;
}

const folder = join(dirname(fileURLToPath(import.meta.url)), 'golden');
/** `UPDATE_GOLDEN=1` writes what came out, to be read before it is kept. */
const update = process.env['UPDATE_GOLDEN'] === '1';

for (const area of readdirSync(folder)) {
  describe(area, () => {
    const names = readdirSync(join(folder, area)).filter((file) => file.endsWith('.yml'));
    test.each(names)('%s', (file) => {
      const text = readFileSync(join(folder, area, file), 'utf8');
      const path = join(folder, area, file.replace(/\.yml$/, '.json'));
      const golden = JSON.parse(readFileSync(path, 'utf8')) as GoldenCase;
      for (const run of golden.runs) {
        const { files = [], ...context } = run.context ?? {};
        const plan = compile(text, filesOf(golden.files ?? {}), triggered({ ...context, listFiles: () => files }));
        const shown = show(plan, run.expected);
        if (update) run.expected = shown;
        else expect(shown).toEqual(run.expected);
      }
      if (update) writeFileSync(path, `${JSON.stringify(golden, null, 2)}\n`);
    });
  });
}

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
