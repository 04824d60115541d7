/** The reasons of a runner that this server understands (runner-api.md §3.3); runners are told. */
export const runnerFailureReasons: readonly string[] = [
  'script_failure',
  'runner_system_failure',
  'job_execution_timeout',
  'image_pull_failure',
  'unknown_failure',
  'runner_interrupted',
  'runner_configuration_error',
  'runner_external_dependency_failure',
  'job_canceled',
];

/** The log grew beyond its limit: what the gateway reports in place of the runner. */
const logTooLong = 'trace_size_exceeded';

/** What is stored of a reported reason: anything unknown, and none, is an unknown failure. */
export function storedReason(reported: string | null | undefined): string {
  return reported && (reported === logTooLong || runnerFailureReasons.includes(reported))
    ? reported
    : 'unknown_failure';
}
