import type { Environment } from '../job.js';
import { YamlMap } from '../yaml/values.js';
import { withoutUndefined } from './artifacts.js';
import { parseDuration } from './duration.js';
import type { Place } from './place.js';
import { readText } from './texts.js';

const keys = new Set(['name', 'url', 'action', 'auto_stop_in', 'kubernetes', 'on_stop', 'deployment_tier']);
const actions = ['start', 'stop', 'prepare', 'verify', 'access'];
const tiers = ['production', 'staging', 'testing', 'development', 'other'];
const longestName = 255;
const wellFormedName = /^[a-zA-Z0-9_${}. -]([a-zA-Z0-9_/${}. -]*[a-zA-Z0-9_${}. -])?$/;

/** Whether a name is one that GitLab gives to environments. Variables in it may become anything, so ask again when they are put in. */
export function isEnvironmentName(name: string): boolean {
  return name.length <= longestName && wellFormedName.test(name) && name.trim() !== '';
}

/** `environment`: a name, or a map that has one; `action` is `start` when not said. */
export function readEnvironment(place: Place): Environment | undefined {
  if (typeof place.value === 'string') return named(place, { name: place.value, action: 'start' });
  if (!(place.value instanceof YamlMap)) {
    place.problem('config should be a hash or a string');
    return undefined;
  }
  place.checkKeys(keys);
  const action = readText(place, 'action') ?? 'start';
  if (!actions.includes(action)) place.problem('action should be start, stop, prepare, verify, or access', 'action');
  const deploymentTier = readText(place, 'deployment_tier');
  if (deploymentTier !== undefined && !tiers.includes(deploymentTier))
    place.problem(
      'deployment tier must be one of production, staging, testing, development, or other',
      'deployment_tier',
    );
  const autoStopIn = readText(place, 'auto_stop_in');
  // A variable may stand in it; then it is told when the environment is made.
  if (
    autoStopIn !== undefined &&
    autoStopIn !== 'never' &&
    !autoStopIn.includes('$') &&
    parseDuration(autoStopIn) === null
  )
    place.problem('auto stop in should be a duration', 'auto_stop_in');
  const environment = withoutUndefined<Environment>({
    name: readText(place, 'name') ?? '',
    url: readText(place, 'url'),
    action,
    onStop: readText(place, 'on_stop'),
    autoStopIn,
    deploymentTier,
  });
  return named(place, environment);
}

function named(place: Place, environment: Environment): Environment {
  if (environment.name.trim() === '') place.problem("name can't be blank", 'name');
  else if (!wellFormedName.test(environment.name))
    place.problem(
      "name can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'",
      'name',
    );
  if (environment.name.length > longestName)
    place.problem(`name is too long (maximum is ${longestName} characters)`, 'name');
  return environment;
}
