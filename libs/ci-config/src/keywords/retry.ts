import type { Retry } from '../job.js';
import { YamlMap, isInteger, type Value } from '../yaml/values.js';
import { withoutUndefined } from './artifacts.js';
import type { Place } from './place.js';
import { isTextList } from './texts.js';

/** Words of `retry:when`: GitLab's failure reasons. */
const reasons = [
  'always',
  'unknown_failure',
  'script_failure',
  'api_failure',
  'stuck_or_timeout_failure',
  'stuck_pending_no_matching_runners',
  'runner_system_failure',
  'runner_unsupported',
  'runner_provisioning_timeout',
  'stale_schedule',
  'job_execution_timeout',
  'job_execution_server_timeout',
  'archived_failure',
  'unmet_prerequisites',
  'scheduler_failure',
  'data_integrity_failure',
  'missing_dependency_failure',
  'forward_deployment_failure',
  'protected_environment_failure',
  'user_blocked',
  'ci_quota_exceeded',
  'no_matching_runner',
  'trace_size_exceeded',
  'builds_disabled',
  'environment_creation_failure',
  'deployment_rejected',
  'failed_outdated_deployment_job',
];
const retriesAtMost = 2;
const keys = new Set(['max', 'when', 'exit_codes']);

/** `retry`: a number, or a map of `max`, `when` and `exit_codes` (ci-config.md §6.4). */
export function readRetry(place: Place): Retry | undefined {
  if (isInteger(place.value)) return { max: readMax(place, place.value, 'config') };
  if (!(place.value instanceof YamlMap)) {
    place.problem('config has to be either an integer or a hash');
    return undefined;
  }
  place.checkKeys(keys);
  const max = place.get('max') ?? null;
  const exitCodes = place.get('exit_codes');
  return withoutUndefined<Retry>({
    max: max === null ? retriesAtMost : readMax(place, max, 'max'),
    when: readWhen(place),
    exitCodes: exitCodes === undefined || exitCodes === null ? undefined : readExitCodes(place, exitCodes),
  });
}

/** Exit codes: one or several integers. */
export function readExitCodes(place: Place, value: Value): number[] {
  const codes = Array.isArray(value) ? value : [value];
  if (codes.length > 0 && codes.every((code) => typeof code === 'number')) return codes;
  place.problem('exit codes should be an array of integers or an integer', 'exit_codes');
  return [];
}

function readMax(place: Place, value: Value, attribute: string): number {
  if (!isInteger(value)) place.problem(`${attribute} is not a number`);
  else if (value < 0) place.problem(`${attribute} must be greater than or equal to 0`);
  else if (value > retriesAtMost) place.problem(`${attribute} must be less than or equal to ${retriesAtMost}`);
  return Number(isInteger(value) ? value : 0);
}

function readWhen(place: Place): string[] | undefined {
  const value = place.get('when');
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') {
    if (!reasons.includes(value)) place.problem('when is not included in the list', 'when');
    return [value];
  }
  if (!isTextList(value)) {
    place.problem('when should be an array of strings or a string', 'when');
    return [];
  }
  const unknown = value.filter((word) => !reasons.includes(word));
  if (unknown.length > 0) place.problem(`when contains unknown values: ${unknown.join(', ')}`, 'when');
  return value;
}
