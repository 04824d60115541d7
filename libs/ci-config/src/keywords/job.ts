import {
  jobWhens,
  type Environment,
  type JobOptions,
  type JobWhen,
  type PipelineNeed,
  type Retry,
  type Trigger,
  type Variable,
} from '../job.js';
import type { Limits } from '../limits.js';
import type { Position } from '../yaml/sources.js';
import { YamlMap } from '../yaml/values.js';
import { readAllowFailure, type AllowFailure } from './allow-failure.js';
import { withPublishedPages } from './artifacts.js';
import { defaultKeys, readDefaultKeywords, readInheritance, type DefaultKeywords } from './default-keywords.js';
import { readEnvironment } from './environment.js';
import { readJobRules, readStartIn, type JobRule } from './job-rules.js';
import { readNeeds, type Needs, type WrittenNeed } from './needs.js';
import { readRefPolicy, type RefPolicy } from './only-except.js';
import { readParallel, type Parallel } from './parallel.js';
import type { Place } from './place.js';
import { readRelease } from './release.js';
import { flattenList, isTextList, readScript, readText, readWord } from './texts.js';
import { readTrigger } from './trigger.js';
import { readVariables } from './variables.js';

/**
 * A job as the file says it, checked and with the defaults applied, but without the circumstances of a pipeline. All keys are
 * always there, in one order: thousands of jobs of one shape are copied at a fraction of the cost of many shapes.
 */
export interface WrittenJob {
  name: string;
  /** Where it stands, for what is wrong with several jobs together. */
  position: Position;
  stage: string;
  variables: Variable[];
  inheritsVariable: (name: string) => boolean;
  tags: string[];
  options: JobOptions;
  when: JobWhen | undefined;
  startIn: number | undefined;
  /** Undefined: none of the keyword. Null: `rules: null`, which also switches the default of `only` off. */
  rules: JobRule[] | null | undefined;
  only: RefPolicy | undefined;
  except: RefPolicy | undefined;
  allowFailure: AllowFailure | undefined;
  needs: WrittenNeed[] | undefined;
  pipelineNeeds: PipelineNeed[] | undefined;
  /** The project whose latest pipeline's status it takes over. */
  mirrors: string | undefined;
  /** What it starts instead of running a script. */
  trigger: Trigger | undefined;
  dependencies: string[] | undefined;
  parallel: Parallel | undefined;
  environment: Environment | undefined;
  resourceGroup: string | undefined;
  interruptible: boolean | undefined;
  retry: Retry | undefined;
  timeout: number | undefined;
}

const commonKeys = [
  'extends',
  'stage',
  'only',
  'except',
  'rules',
  'variables',
  'inherit',
  'allow_failure',
  'when',
  'needs',
  'resource_group',
  'environment',
  'interruptible',
  'parallel',
];
const scriptKeys = new Set([
  ...commonKeys,
  'tags',
  'script',
  'image',
  'services',
  'start_in',
  'artifacts',
  'cache',
  'dependencies',
  'before_script',
  'after_script',
  'hooks',
  'coverage',
  'retry',
  'timeout',
  'inputs',
  'release',
  'id_tokens',
  'publish',
  'pages',
  'manual_confirmation',
  'run',
  'secrets',
  'dast_configuration',
  'identity',
  // Told apart in a sentence of its own.
  'trigger',
]);
const triggerKeys = new Set([...commonKeys, 'trigger', 'start_in']);
/** Known to GitLab, not acted on here; a job that went without would not do what its author means (ci-config.md §1, tier 3). */
const refusedKeys = ['id_tokens', 'secrets', 'identity', 'run', 'inputs'];
const inheritKeys = new Set(['default', 'variables']);
const whensOfTriggers = ['on_success', 'on_failure', 'always', 'manual'] as const;
const longestName = 255;

/** Checks one visible job and puts it into normal form; faults are noted at the place. Null when it is no job at all. */
export function readJob(
  place: Place,
  name: string,
  position: Position,
  defaults: DefaultKeywords,
  limits: Limits,
): WrittenJob | null {
  const kind = kindOf(place, name);
  if (kind === null) return null;
  checkKeyCombinations(place);
  place.checkKeys(kind === 'script' ? scriptKeys : triggerKeys);
  place.refuseKeys(refusedKeys);
  const set = inherited(place, defaults, kind === 'script' ? defaultKeys : ['interruptible']);
  const stage = readStage(place);
  const variables = place.has('variables') ? readVariables(place.child('variables'), 'job') : [];
  const inheritsVariable = readInheritance(place, 'variables');
  const options = readOptions(place, set);
  const { when, startIn } = readWhen(place, kind === 'script' ? jobWhens : whensOfTriggers);
  const { rules, only, except } = readConditions(place);
  if (place.has('inherit')) place.child('inherit').checkKeys(inheritKeys);
  const allowFailure = place.has('allow_failure') ? readAllowFailure(place, kind === 'script') : undefined;
  const needs = readJobNeeds(place, kind);
  const trigger = place.has('trigger') && kind === 'trigger' ? readTrigger(place.child('trigger')) : undefined;
  if (kind === 'trigger' && !place.has('trigger') && needs?.mirrored === undefined)
    place.problem('config should contain either a trigger or a needs:pipeline');
  const onlyMirrors = needs?.mirrored !== undefined && needs.jobs.length === 0;
  const waitsFor = onlyMirrors ? undefined : needs?.jobs;
  return {
    name,
    position,
    stage,
    variables,
    inheritsVariable,
    tags: set.tags ?? [],
    options,
    when,
    startIn,
    rules,
    only,
    except,
    allowFailure,
    needs: waitsFor,
    pipelineNeeds: needs?.ofPipelines.length ? needs.ofPipelines : undefined,
    mirrors: needs?.mirrored,
    trigger,
    dependencies: place.has('dependencies') ? readDependencies(place, waitsFor) : undefined,
    parallel: place.has('parallel')
      ? readParallel(place.child('parallel'), limits.parallel, kind === 'script')
      : undefined,
    environment: place.has('environment') ? readEnvironment(place.child('environment')) : undefined,
    resourceGroup: readText(place, 'resource_group'),
    interruptible: set.interruptible,
    retry: set.retry,
    timeout: set.timeout,
  };
}

/** A job with a script, or one that starts another pipeline; null, after a note, for what is neither. */
function kindOf(place: Place, name: string): 'script' | 'trigger' | null {
  if (name.trim() === '') {
    place.problem("name can't be blank");
    return null;
  }
  if (name.length > longestName) {
    place.problem(`name is too long (maximum is ${longestName} characters)`);
    return null;
  }
  const { value } = place;
  if (value instanceof YamlMap) {
    if (value.has('script') || value.has('run')) return 'script';
    if (value.has('trigger') || value.has('needs')) return 'trigger';
  }
  place.exactProblem(
    `jobs ${name.replaceAll(' ', '_')} config should implement the script:, run:, or trigger: keyword`.toLowerCase(),
  );
  return null;
}

function readJobNeeds(job: Place, kind: 'script' | 'trigger'): Needs | undefined {
  if (!job.has('needs')) return undefined;
  const place = job.child('needs');
  const needs = readNeeds(place);
  if (kind === 'script' && needs.mirrored !== undefined) place.problem('config uses invalid types: bridge');
  if (kind === 'trigger' && needs.ofPipelines.length > 0) place.problem('config uses invalid types: cross_dependency');
  return needs;
}

function checkKeyCombinations(place: Place): void {
  const kinds = ['script', 'run', 'trigger'].filter((key) => place.has(key));
  if (kinds.length > 1) place.problem(`config these keys cannot be used together: ${kinds.join(', ')}`);
  if (place.has('rules')) {
    const mixed = ['only', 'except', 'start_in'].filter((key) => place.has(key));
    if (mixed.length > 0) place.problem(`config key may not be used with \`rules\`: ${mixed.join(', ')}`, mixed[0]);
  }
}

/** Keywords of the job, and the defaults for those that it does not set. */
function inherited(place: Place, defaults: DefaultKeywords, keys: readonly (keyof DefaultKeywords)[]): DefaultKeywords {
  const own = readDefaultKeywords(place, keys);
  const inherits = readInheritance(place, 'default');
  for (const key of keys)
    if (own[key] === undefined && defaults[key] !== undefined && !place.has(key) && inherits(key))
      copyKeyword(key, defaults, own);
  return own;
}

function copyKeyword<Key extends keyof DefaultKeywords>(key: Key, from: DefaultKeywords, to: DefaultKeywords): void {
  to[key] = from[key];
}

function readStage(place: Place): string {
  const stage = place.get('stage');
  if (stage === undefined || stage === null) return 'test';
  if (typeof stage === 'string') return stage;
  place.child('stage').problem('config should be a string');
  return 'test';
}

function readWhen(place: Place, words: readonly JobWhen[]): Pick<WrittenJob, 'when' | 'startIn'> {
  const when = readWord(place, 'when', words);
  if (when === 'delayed') return { when, startIn: readStartIn(place) };
  if (place.has('start_in') && !place.has('rules')) place.problem('start in must be blank', 'start_in');
  return { when, startIn: undefined };
}

function readConditions(place: Place): Pick<WrittenJob, 'rules' | 'only' | 'except'> {
  const { checks } = place;
  return {
    rules: place.has('rules') ? readJobRules(place) : place.get('rules') === null ? null : undefined,
    only: place.has('only') ? checks.once(readRefPolicy, place.child('only')) : undefined,
    except: place.has('except') ? checks.once(readRefPolicy, place.child('except')) : undefined,
  };
}

function readDependencies(place: Place, needs: WrittenJob['needs']): string[] {
  const dependencies = place.get('dependencies');
  if (!isTextList(dependencies)) {
    place.problem('dependencies should be an array of strings', 'dependencies');
    return [];
  }
  const missing = needs?.length ? dependencies.filter((name) => !needs.some((need) => need.name === name)) : [];
  if (missing.length > 0)
    place.problem(`dependencies the ${missing.join(', ')} should be part of needs`, 'dependencies');
  return dependencies;
}

function readOptions(place: Place, set: DefaultKeywords): JobOptions {
  const options: JobOptions = {
    script: [],
    beforeScript: set.before_script ?? [],
    afterScript: set.after_script ?? [],
    services: set.services ?? [],
    cache: set.cache ?? [],
  };
  const script = place.get('script');
  if (script == null || script === '' || (Array.isArray(script) && flattenList(script)?.length === 0)) {
    if (place.get('script') !== undefined) place.problem("script can't be blank", 'script');
  } else {
    options.script = readScript(place.child('script'));
  }
  if (set.image) options.image = set.image;
  if (set.artifacts) options.artifacts = set.artifacts;
  if (set.hooks) options.hooks = set.hooks;
  const coverage = place.get('coverage');
  if (coverage !== undefined && coverage !== null) {
    if (typeof coverage === 'string' && /^\/[\s\S]+\/$/.test(coverage) && place.checks.patterns.compile(coverage))
      options.coverage = coverage.slice(1, -1);
    else place.child('coverage').problem('config must be a regular expression');
  }
  if (place.has('release')) options.release = readRelease(place.child('release'));
  const published = publishedDirectory(place);
  if (published !== null) options.artifacts = withPublishedPages(options.artifacts, published);
  return options;
}

/** Directory of `pages`, null for other jobs. */
function publishedDirectory(place: Place): string | null {
  const pages = place.get('pages');
  if (pages === undefined || pages === null || pages === false) return null;
  if (pages !== true && !(pages instanceof YamlMap)) {
    place.child('pages').problem('config should be a hash or a boolean value');
    return null;
  }
  const own = pages instanceof YamlMap ? readText(place.child('pages'), 'publish') : undefined;
  return own ?? readText(place, 'publish') ?? 'public';
}
