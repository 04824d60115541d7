import type { PipelineNeed, Variable } from '../job.js';
import { defaultLimits } from '../limits.js';
import { YamlMap } from '../yaml/values.js';
import { readMatrix } from './parallel.js';
import type { Place } from './place.js';
import { readBoolean, readText } from './texts.js';

/** A need as written: the base name of a `parallel` job means all its instances, `matrix` selects some. */
export interface WrittenNeed {
  name: string;
  artifacts: boolean;
  optional: boolean;
  /** Values may refer to the job's own matrix: `$[[ matrix.OS ]]`. */
  matrix?: Variable[][];
}

export interface Needs {
  /** Jobs of this pipeline. */
  jobs: WrittenNeed[];
  /** Jobs of other pipelines (`pipeline` with `job`): nothing waits for them, only their artifacts are fetched. */
  ofPipelines: PipelineNeed[];
  /** Another project whose latest pipeline's status the job takes over (`pipeline` alone). */
  mirrored?: string;
}

const needKeys = new Set(['job', 'artifacts', 'optional', 'parallel']);
const pipelineNeedKeys = new Set(['pipeline', 'job', 'artifacts']);
const mirrorKeys = new Set(['pipeline']);
const ofPipelinesAtMost = 5;

/** `needs` (ci-config.md §5.8, §6.1). Other projects' jobs are refused: their artifacts are not here. */
export function readNeeds(place: Place): Needs {
  const needs: Needs = { jobs: [], ofPipelines: [] };
  const { value } = place;
  if (!Array.isArray(value) && !(value instanceof YamlMap)) {
    place.problem('config can only be a hash or an array');
    return needs;
  }
  (Array.isArray(value) ? value.flat() : [value]).forEach((entry, index) => {
    const item = place.item('need', index, entry);
    if (typeof entry === 'string' && entry !== '') needs.jobs.push({ name: entry, artifacts: true, optional: false });
    else if (entry instanceof YamlMap) readNeed(item, needs);
    else item.problem('has an unsupported type');
  });
  if (needs.ofPipelines.length > ofPipelinesAtMost)
    place.problem(`config must be less than or equal to ${ofPipelinesAtMost}`);
  return needs;
}

function readNeed(place: Place, needs: Needs): void {
  if (place.has('project')) {
    place.exactProblem(`${place.label}:project is not supported by this server`, 'project');
    return;
  }
  if (place.has('pipeline')) {
    readPipelineNeed(place, needs);
    return;
  }
  place.checkKeys(needKeys);
  const name = readText(place, 'job');
  if (name === undefined || name === '') {
    place.problem("job can't be blank");
    return;
  }
  const need: WrittenNeed = {
    name,
    artifacts: readBoolean(place, 'artifacts') ?? true,
    optional: readBoolean(place, 'optional') ?? false,
  };
  if (place.has('parallel')) {
    const parallel = place.child('parallel');
    if (!(parallel.value instanceof YamlMap)) place.problem('cannot use "parallel: <number>".', 'parallel');
    else need.matrix = readMatrix(parallel, defaultLimits.parallel);
  }
  needs.jobs.push(need);
}

function readPipelineNeed(place: Place, needs: Needs): void {
  const pipeline = readText(place, 'pipeline') ?? '';
  if (!place.has('job')) {
    place.checkKeys(mirrorKeys);
    if (needs.mirrored !== undefined) place.problem('config should contain at most one bridge need');
    needs.mirrored = pipeline;
    return;
  }
  place.checkKeys(pipelineNeedKeys);
  needs.ofPipelines.push({
    pipeline,
    job: readText(place, 'job') ?? '',
    artifacts: readBoolean(place, 'artifacts') ?? true,
  });
}
