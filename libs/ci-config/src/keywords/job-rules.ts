import type { Variable } from '../job.js';
import { readRuleConditions, rulePlaces } from '../rules/read-rule-conditions.js';
import type { RuleConditions } from '../rules/rule-conditions.js';
import { readAllowFailure, type AllowFailure } from './allow-failure.js';
import { oneWeek, parseDuration } from './duration.js';
import { readNeeds, type WrittenNeed } from './needs.js';
import type { Place } from './place.js';
import { readBoolean } from './texts.js';
import { readVariables } from './variables.js';

/** A rule of a job: its conditions, and what it changes where it matches (ci-config.md §2.3). */
export interface JobRule extends RuleConditions {
  startIn?: number;
  allowFailure?: AllowFailure;
  variables?: Variable[];
  needs?: WrittenNeed[];
  interruptible?: boolean;
}

export function readJobRules(job: Place): JobRule[] {
  return rulePlaces(job).map((place) => place.checks.once(readJobRule, place));
}

function readJobRule(place: Place): JobRule {
  const rule: JobRule = readRuleConditions(place, 'job');
  if (place.get('when') === 'delayed') {
    const startIn = readStartIn(place);
    if (startIn !== undefined) rule.startIn = startIn;
  } else if (place.has('start_in')) {
    place.problem('config contains disallowed keys: start_in', 'start_in');
  }
  if (place.has('allow_failure')) rule.allowFailure = readAllowFailure(place);
  if (place.has('variables')) rule.variables = readVariables(place.child('variables'), 'rule');
  if (place.has('needs')) rule.needs = readRuleNeeds(place.child('needs'));
  const interruptible = readBoolean(place, 'interruptible');
  if (interruptible !== undefined) rule.interruptible = interruptible;
  return rule;
}

function readRuleNeeds(place: Place): WrittenNeed[] {
  const { jobs, ofPipelines, mirrored } = readNeeds(place);
  if (ofPipelines.length > 0) place.problem('config uses invalid types: cross_dependency');
  if (mirrored !== undefined) place.problem('config uses invalid types: bridge');
  return jobs;
}

/** Seconds of `start_in`, at most a week. */
export function readStartIn(place: Place): number | undefined {
  const value = place.get('start_in');
  const seconds = typeof value === 'string' ? parseDuration(value) : null;
  if (seconds === null) {
    place.problem('start in should be a duration', 'start_in');
    return undefined;
  }
  if (seconds > oneWeek) place.problem('start in should not exceed the limit', 'start_in');
  return seconds;
}
