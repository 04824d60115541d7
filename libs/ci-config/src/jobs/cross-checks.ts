import type { ConfiguredJob } from '../ci-config.js';
import type { Need } from '../job.js';
import { ConfigError } from '../config-error.js';

const longestName = 255;

/** Checks that look at several jobs; the first fault throws ConfigError with its text of ci-config.md §7, second table. */
export function checkJobsTogether(jobs: readonly ConfiguredJob[], stages: readonly string[]): void {
  const byName = new Map(jobs.map((job) => [job.name, job]));
  for (const job of jobs) {
    if (job.stageIdx < 0)
      fail(job, `chosen stage ${job.stage} does not exist; available stages are ${stages.join(', ')}`);
    for (const name of job.dependencies ?? []) checkLink(job, name, 'dependency', byName, false);
    for (const needs of needsOf(job)) checkNeeds(job, needs, byName);
    checkEnvironment(job, byName);
  }
  checkCircles(jobs, byName);
}

/** Its own needs, and those of each rule that has some. */
function needsOf(job: ConfiguredJob): Need[][] {
  const ofRules = (job.rules ?? []).flatMap((rule) => (rule.needs ? [rule.needs.list] : []));
  return job.needs ? [job.needs.list, ...ofRules] : ofRules;
}

function checkNeeds(job: ConfiguredJob, needs: readonly Need[], byName: ReadonlyMap<string, ConfiguredJob>): void {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const need of needs) {
    if (need.name.length > longestName)
      fail(job, `need \`${need.name}\` name is too long (maximum is ${longestName} characters)`);
    checkLink(job, need.name, 'need', byName, need.optional);
    if (seen.has(need.name)) twice.add(need.name);
    seen.add(need.name);
  }
  if (twice.size > 0)
    throw new ConfigError(
      `${job.name} has the following needs duplicated: ${[...twice].join(', ')}.`,
      [job.name, 'needs'],
      job.position,
    );
}

function checkLink(
  job: ConfiguredJob,
  name: string,
  kind: 'need' | 'dependency',
  byName: ReadonlyMap<string, ConfiguredJob>,
  optional: boolean,
): void {
  const other = byName.get(name);
  if (!other) {
    // An optional one may be in a file whose `include:rules` left it out.
    if (!optional) fail(job, `undefined ${kind}: ${name}`);
  } else if (other.stageIdx > job.stageIdx) {
    fail(job, `${kind} ${name} is not defined in current or prior stages`);
  }
}

function checkEnvironment(job: ConfiguredJob, byName: ReadonlyMap<string, ConfiguredJob>): void {
  const stop = job.environment?.onStop;
  if (stop === undefined) return;
  const stopJob = byName.get(stop);
  if (!stopJob) fail(job, `on_stop job ${stop} is not defined`);
  if (!stopJob.environment) fail(job, `on_stop job ${stop} does not have environment defined`);
  if (stopJob.environment.name !== job.environment?.name)
    fail(job, `on_stop job ${stop} have different environment name`);
  if (stopJob.environment.action !== 'stop') fail(job, `on_stop job ${stop} needs to have action stop defined`);
}

/** With a stack of its own: a chain of needs may be as long as the file. */
function checkCircles(jobs: readonly ConfiguredJob[], byName: ReadonlyMap<string, ConfiguredJob>): void {
  const state = new Map<string, 'open' | 'done'>();
  const namesOf = (job: ConfiguredJob) =>
    (job.needs?.list ?? []).map((need) => need.name).filter((name) => byName.has(name));
  for (const start of jobs) {
    if (!start.needs || state.has(start.name)) continue;
    const path = [{ name: start.name, rest: namesOf(start) }];
    state.set(start.name, 'open');
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const next = top.rest.shift();
      if (next === undefined) {
        state.set(top.name, 'done');
        path.pop();
      } else if (state.get(next) === 'open') {
        const circle = path.slice(path.findIndex((step) => step.name === next)).map((step) => step.name);
        const what =
          circle.length === 1
            ? `self-dependency: ${next}`
            : `topological sort failed: [${circle.map((name) => JSON.stringify(name)).join(', ')}]`;
        throw new ConfigError(
          `The pipeline has circular dependencies: ${what}`,
          [next, 'needs'],
          byName.get(next)?.position,
        );
      } else if (!state.has(next)) {
        state.set(next, 'open');
        path.push({ name: next, rest: namesOf(byName.get(next) as ConfiguredJob) });
      }
    }
  }
}

function fail(job: ConfiguredJob, sentence: string): never {
  throw new ConfigError(`${job.name} job: ${sentence}`, [job.name], job.position);
}
