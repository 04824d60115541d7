import type { Place } from '../keywords/place.js';
import { flattenList, isTextList } from '../keywords/texts.js';

const defaultStages = ['build', 'test', 'deploy'];

/** All stages in order, with `.pre` forced to the front and `.post` to the end. */
export function readStages(root: Place): string[] {
  let stages = defaultStages;
  if (root.has('stages')) {
    const place = root.child('stages');
    const list = Array.isArray(place.value) ? flattenList(place.value) : null;
    if (list && isTextList(list)) stages = list;
    else place.problem('config should be an array of strings or a nested array of strings up to 10 levels deep');
  }
  return ['.pre', ...new Set(stages.filter((stage) => stage !== '.pre' && stage !== '.post')), '.post'];
}
