/** GitLab's words, as every part of the system and every caller spells them. Source: trigger-api.md §3.3, §4.1, §4.3. */

/** GitLab's access levels of a member of a project. */
export const AccessLevel = { None: 0, Guest: 10, Reporter: 20, Developer: 30, Maintainer: 40, Owner: 50 } as const;
export type AccessLevel = (typeof AccessLevel)[keyof typeof AccessLevel];
export const memberLevels = [
  AccessLevel.Guest,
  AccessLevel.Reporter,
  AccessLevel.Developer,
  AccessLevel.Maintainer,
  AccessLevel.Owner,
];

/** Statuses of jobs; pipelines share the set (trigger-api.md §4.3). */
export const statuses = [
  'created',
  'waiting_for_resource',
  'preparing',
  'waiting_for_callback',
  'pending',
  'running',
  'success',
  'failed',
  'canceling',
  'canceled',
  'skipped',
  'manual',
  'scheduled',
] as const;
export type Status = (typeof statuses)[number];

/** Where a pipeline came from. Flagfall itself creates `trigger`, `pipeline` and `api` ones; the rest are words that filters accept. */
export const pipelineSources = [
  'unknown',
  'push',
  'web',
  'trigger',
  'schedule',
  'api',
  'external',
  'pipeline',
  'chat',
  'webide',
  'merge_request_event',
  'external_pull_request_event',
  'parent_pipeline',
  'ondemand_dast_scan',
  'ondemand_dast_validation',
  'security_orchestration_policy',
  'container_registry_push',
  'duo_workflow',
  'pipeline_execution_policy_schedule',
] as const;
export type PipelineSource = (typeof pipelineSources)[number];

export const visibilities = ['private', 'internal', 'public'] as const;
export type Visibility = (typeof visibilities)[number];

export const variableTypes = ['env_var', 'file'] as const;
export type VariableType = (typeof variableTypes)[number];

/** How a trigger request came: the plain URL is called by people and programs, the one with the ref in it by webhooks. */
export const triggerChannels = ['api', 'webhook'] as const;
export type TriggerChannel = (typeof triggerChannels)[number];
