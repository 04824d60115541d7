import type { Variable } from '../job.js';
import { YamlMap, isInteger, type Value } from '../yaml/values.js';
import type { Place } from './place.js';

/** Instances of a job: so many, or one per combination of variables. */
export type Parallel = { total: number } | { matrix: Variable[][] };

const keys = new Set(['matrix']);
/** Instances times variables of each. */
const variablesAtMost = 10_000;

/** `parallel`: an integer, where the job has a script, or a map with `matrix` (ci-config.md §5.8). */
export function readParallel(place: Place, instancesAtMost: number, mayBeNumber: boolean): Parallel | undefined {
  if (isInteger(place.value)) {
    if (!mayBeNumber) place.problem('cannot use "parallel: <number>".');
    if (place.value < 1) place.problem('config must be greater than or equal to 1');
    if (place.value > instancesAtMost) place.problem(`config must be less than or equal to ${instancesAtMost}`);
    return { total: Math.min(Math.max(1, Number(place.value)), instancesAtMost) };
  }
  if (!(place.value instanceof YamlMap)) {
    place.problem('should be an integer or a hash');
    return undefined;
  }
  return { matrix: readMatrix(place, instancesAtMost) };
}

/** The combinations of `matrix`, per map the product of its values with the first key slowest. */
export function readMatrix(parallel: Place, instancesAtMost: number): Variable[][] {
  parallel.checkKeys(keys);
  const place = parallel.child('matrix');
  if (!Array.isArray(place.value) || place.value.length === 0) {
    place.problem('config should be an array of hashes');
    return [];
  }
  const lists = place.value.map((value, index) => readValues(place.item('matrix', index, value)));
  const total = lists.reduce(
    (sum, values) => sum + [...values.values()].reduce((product, list) => product * list.length, 1),
    0,
  );
  if (total > instancesAtMost) {
    place.problem(`config generates too many jobs (maximum is ${instancesAtMost})`);
    return [];
  }
  if (total * Math.max(...lists.map(({ size }) => size)) > variablesAtMost) {
    place.problem(`config generates too many variables (maximum is ${variablesAtMost})`);
    return [];
  }
  return lists.flatMap(combinations);
}

function readValues(place: Place): Map<string, string[]> {
  const values = new Map<string, string[]>();
  const sentence = 'config should be a hash of key value pairs, value can be an array';
  if (!(place.value instanceof YamlMap) || place.value.size === 0) {
    place.problem(sentence);
    return values;
  }
  for (const [key, value] of place.value) {
    const list = Array.isArray(value) ? value : [value];
    if (list.length > 0 && list.every(isMatrixValue)) values.set(key, list.map(String));
    else place.problem(sentence, key);
  }
  return values;
}

/** Text or integer; an unquoted `3.9` or `true` would not come out as written. */
function isMatrixValue(value: Value): boolean {
  return typeof value === 'string' || isInteger(value);
}

function combinations(values: ReadonlyMap<string, readonly string[]>): Variable[][] {
  let result: Variable[][] = [[]];
  for (const [key, list] of values) result = result.flatMap((head) => list.map((value) => [...head, { key, value }]));
  return result;
}
