import type { Image, Service } from '../job.js';
import { toPlain } from '../yaml/plain.js';
import { YamlMap } from '../yaml/values.js';
import type { Place } from './place.js';
import { isTextList, readText, readTextOrTexts } from './texts.js';
import { readVariables } from './variables.js';

const imageKeys = new Set(['name', 'entrypoint', 'docker', 'kubernetes', 'pull_policy']);
const serviceKeys = new Set([...imageKeys, 'alias', 'command', 'variables']);
const pullPolicies = ['always', 'if-not-present', 'never'];

/** `image`: a name, or a map that has one. */
export function readImage(place: Place): Image | undefined {
  return readNamed(place, imageKeys);
}

/** `services`: a list of names and maps. */
export function readServices(place: Place): Service[] {
  if (!Array.isArray(place.value)) {
    place.problem('config should be an array');
    return [];
  }
  return place.value.flatMap((value, index) => {
    const item = place.item('service', index, value);
    const service: Service | undefined = readNamed(item, serviceKeys);
    if (!service || typeof value === 'string') return service ? [service] : [];
    const alias = readText(item, 'alias');
    const command = readTextOrTexts(item, 'command');
    if (alias !== undefined) service.alias = alias;
    if (command) service.command = command;
    if (item.has('variables')) service.variables = readVariables(item.child('variables'), 'job');
    return [service];
  });
}

function readNamed(place: Place, keys: ReadonlySet<string>): Image | undefined {
  if (typeof place.value === 'string') {
    if (place.value !== '') return { name: place.value };
    place.problem("name can't be blank");
    return undefined;
  }
  if (!(place.value instanceof YamlMap)) {
    place.problem('config should be a hash or a string');
    return undefined;
  }
  place.checkKeys(keys);
  const image: Image = { name: readText(place, 'name') ?? '' };
  if (image.name === '') place.problem("name can't be blank");
  const entrypoint = readTextOrTexts(place, 'entrypoint');
  if (entrypoint) image.entrypoint = entrypoint;
  const pullPolicy = place.get('pull_policy');
  if (pullPolicy !== undefined && pullPolicy !== null) {
    const list = typeof pullPolicy === 'string' ? [pullPolicy] : pullPolicy;
    if (isTextList(list) && list.length > 0 && list.every((policy) => pullPolicies.includes(policy)))
      image.pullPolicy = list;
    else place.problem(`pull policy should be one of: ${pullPolicies.join(', ')}`, 'pull_policy');
  }
  const executorOptions: Record<string, unknown> = {};
  for (const executor of ['docker', 'kubernetes']) {
    const options = place.get(executor);
    if (options instanceof YamlMap) executorOptions[executor] = toPlain(options);
    else if (options !== undefined && options !== null) place.problem(`${executor} should be a hash`, executor);
  }
  if (Object.keys(executorOptions).length > 0) image.executorOptions = executorOptions;
  return image;
}
