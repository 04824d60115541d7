import type { Job, Retry } from '#libs/ci-config';

/** Reasons that another attempt cannot mend (ci-config.md §6.4). */
const hopeless = new Set([
  'ci_quota_exceeded',
  'no_matching_runner',
  'missing_dependency_failure',
  'forward_deployment_failure',
  'environment_creation_failure',
]);

/** A job that could not be handed out is tried again even where its author says nothing. */
const schedulerAttempts = 2;

/**
 * Whether a job that failed is repeated by itself (ci-config.md §6.4). Pure.
 * @param attempt how often it was repeated before
 */
export function isRetried(retry: Retry | undefined, attempt: number, reason: string, exitCode: number | null): boolean {
  if (hopeless.has(reason)) return false;
  if (!retry) return reason === 'scheduler_failure' && attempt < schedulerAttempts;
  if (attempt >= retry.max) return false;
  const byCode = retry.exitCodes !== undefined && exitCode !== null && retry.exitCodes.includes(exitCode);
  const when = retry.when ?? (retry.exitCodes ? [] : ['always']);
  return byCode || when.includes('always') || when.includes(reason);
}

/** Whether a job that exits so may fail: `allow_failure: exit_codes`. */
export function isAllowedExit({ allowFailureExitCodes }: Job, exitCode: number | null): boolean {
  return exitCode !== null && (allowFailureExitCodes?.includes(exitCode) ?? false);
}
