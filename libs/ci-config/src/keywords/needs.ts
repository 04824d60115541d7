import { YamlMap } from '../yaml/values.js';
import { defaultLimits } from '../limits.js';
import { readMatrix } from './parallel.js';
import type { Place } from './place.js';
import { readBoolean, readText } from './texts.js';
import type { Variable } from '../job.js';

/** A need as written: the base name of a `parallel` job means all its instances, `matrix` selects some. */
export interface WrittenNeed {
  name: string;
  artifacts: boolean;
  optional: boolean;
  matrix?: Variable[][];
}

/** `needs` (ci-config.md §5.8, §6.1). */
export function readNeeds(place: Place): WrittenNeed[] {
  const { value } = place;
  if (value instanceof YamlMap) {
    refuseForeign(place);
    if (!value.has('job')) return [];
  }
  if (!Array.isArray(value) && !(value instanceof YamlMap)) {
    place.problem('config can only be a hash or an array');
    return [];
  }
  const entries = Array.isArray(value) ? value : [value];
  return entries.flatMap((entry, index) => {
    const item = place.item('need', index, entry);
    if (typeof entry === 'string' && entry !== '') return [{ name: entry, artifacts: true, optional: false }];
    if (entry instanceof YamlMap) return readNeed(item);
    item.problem('has an unsupported type');
    return [];
  });
}

function readNeed(place: Place): WrittenNeed[] {
  if (refuseForeign(place)) return [];
  place.checkKeys(['job', 'artifacts', 'optional', 'parallel']);
  const name = readText(place, 'job');
  if (name === undefined || name === '') {
    place.problem("job can't be blank");
    return [];
  }
  const need: WrittenNeed = {
    name,
    artifacts: readBoolean(place, 'artifacts') ?? true,
    optional: readBoolean(place, 'optional') ?? false,
  };
  if (place.has('parallel')) {
    const parallel = place.child('parallel');
    if (!(parallel.value instanceof YamlMap))
      place.exactProblem(`${place.label} cannot use "parallel: <number>".`.toLowerCase(), 'parallel');
    else need.matrix = readMatrix(parallel, defaultLimits.parallel);
  }
  return [need];
}

/** Jobs of other pipelines and projects. */
function refuseForeign(place: Place): boolean {
  const foreign = ['pipeline', 'project'].filter((key) => place.has(key));
  for (const key of foreign) place.exactProblem(`${place.label}:${key} is not supported by this server`, key);
  return foreign.length > 0;
}
