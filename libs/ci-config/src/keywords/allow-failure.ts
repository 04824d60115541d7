import { YamlMap } from '../yaml/values.js';
import type { Place } from './place.js';
import { readExitCodes } from './retry.js';

/** Whether a job may fail, always or with certain exit codes (then it may not with others). */
export interface AllowFailure {
  always: boolean;
  exitCodes?: number[];
}

const keys = new Set(['exit_codes']);

/** `allow_failure` of a job or a rule: a boolean, or a map with `exit_codes` where there is an exit code. */
export function readAllowFailure(owner: Place, withExitCodes = true): AllowFailure {
  const value = owner.get('allow_failure') ?? null;
  if (typeof value === 'boolean') return { always: value };
  if (!withExitCodes || !(value instanceof YamlMap)) {
    owner.problem(`allow failure should be a ${withExitCodes ? 'hash or a ' : ''}boolean value`, 'allow_failure');
    return { always: false };
  }
  const place = owner.child('allow_failure');
  place.checkKeys(keys);
  return { always: false, exitCodes: readExitCodes(place, value.get('exit_codes') ?? []) };
}
