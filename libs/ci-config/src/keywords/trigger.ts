import type { Trigger } from '../job.js';
import { toPlain, writeYaml } from '../yaml/plain.js';
import { YamlMap, type Value } from '../yaml/values.js';
import type { Place } from './place.js';
import { readBoolean, readText } from './texts.js';

const projectKeys = new Set(['project', 'branch', 'strategy', 'forward', 'inputs']);
const childKeys = new Set(['include', 'strategy', 'forward', 'inputs']);
const forwardKeys = new Set(['yaml_variables', 'pipeline_variables']);
const strategies = ['depend', 'mirror'] as const;
const includesAtMost = 3;

/** `trigger`: a pipeline in another project, or a child pipeline made of files that are included (ci-config.md §6.5). */
export function readTrigger(place: Place): Trigger | undefined {
  const { value } = place;
  if (typeof value === 'string') {
    if (value === '') place.problem("config can't be blank");
    return { to: { project: value }, forward: { yamlVariables: true, pipelineVariables: false } };
  }
  if (!(value instanceof YamlMap)) {
    place.problem('has to be either a string or a hash');
    return undefined;
  }
  const isChild = value.has('include');
  place.checkKeys(isChild ? childKeys : projectKeys);
  const trigger: Trigger = { to: isChild ? readChild(place) : readProject(place), forward: readForward(place) };
  const strategy = readText(place, 'strategy');
  const known = strategies.find((word) => word === strategy);
  if (known) trigger.strategy = known;
  else if (strategy !== undefined) place.problem('strategy should be depend or mirror', 'strategy');
  const inputs = place.get('inputs') ?? null;
  if (inputs instanceof YamlMap) trigger.inputs = toPlain(inputs) as Record<string, unknown>;
  else if (inputs !== null) place.problem('inputs should be a hash', 'inputs');
  return trigger;
}

function readProject(place: Place): Trigger['to'] {
  const project = readText(place, 'project') ?? '';
  if (project === '' && !(place.has('project') && typeof place.get('project') !== 'string'))
    place.problem("project can't be blank");
  const branch = readText(place, 'branch');
  return branch === undefined ? { project } : { project, branch };
}

/** The child's own configuration: a file that does nothing but include, in the repository and at the commit of this one. */
function readChild(place: Place): Trigger['to'] {
  const include = place.child('include');
  const entries = Array.isArray(include.value) ? include.value : [include.value];
  if (entries.length === 0 || include.value === null) include.problem("config can't be blank");
  if (entries.length > includesAtMost) include.problem(`config is too long (maximum is ${includesAtMost})`);
  entries.forEach((entry, index) => checkEntry(include.item('include', index, entry)));
  const config = new YamlMap();
  config.place('include', include.value, 0);
  return { config: writeYaml(config) };
}

/** Only files that this server has can become a child's configuration; what is wrong with them is told when it is made. */
function checkEntry(entry: Place): void {
  const refuse = (kind: string, target: Value | undefined) =>
    entry.exactProblem(
      `\`trigger:include:${kind}\` is not supported by this server (${typeof target === 'string' ? target : kind})`,
    );
  if (typeof entry.value === 'string') {
    if (/^https?:\/\//i.test(entry.value)) refuse('remote', entry.value);
  } else if (entry.value instanceof YamlMap) {
    for (const kind of ['remote', 'template', 'component', 'artifact'])
      if (entry.has(kind)) refuse(kind, entry.get(kind));
  } else entry.problem('config should be a hash or a string');
}

function readForward(place: Place): Trigger['forward'] {
  if (!place.has('forward')) return { yamlVariables: true, pipelineVariables: false };
  const forward = place.child('forward');
  if (!(forward.value instanceof YamlMap)) forward.problem('config should be a hash');
  forward.checkKeys(forwardKeys);
  return {
    yamlVariables: readBoolean(forward, 'yaml_variables') ?? true,
    pipelineVariables: readBoolean(forward, 'pipeline_variables') ?? false,
  };
}
