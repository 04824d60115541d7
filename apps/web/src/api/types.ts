/** What the gateway answers, as far as the pages look at it; the OpenAPI document has the whole of it. */

export type Status =
  | 'created'
  | 'waiting_for_resource'
  | 'preparing'
  | 'pending'
  | 'running'
  | 'success'
  | 'failed'
  | 'canceling'
  | 'canceled'
  | 'skipped'
  | 'manual'
  | 'scheduled';

export interface UserName {
  id: number;
  username: string;
  name: string;
}

export interface Project {
  id: number;
  name: string;
  description: string | null;
  path_with_namespace: string;
  default_branch: string;
  visibility: string;
  archived: boolean;
  last_activity_at: string;
  import_url: string | null;
  ci_config_path: string | null;
  build_timeout: number;
  ci_pipeline_variables_minimum_override_role: string;
  permissions?: { project_access: { access_level: number } | null };
}

export interface Trigger {
  id: number;
  token: string;
  description: string;
  created_at: string;
  last_used: string | null;
  expires_at: string | null;
  owner: UserName;
}

export interface Variable {
  key: string;
  value: string | null;
  variable_type: 'env_var' | 'file';
  protected: boolean;
  masked: boolean;
  hidden: boolean;
  raw: boolean;
  environment_scope: string;
  description: string | null;
}

export interface TriggerMark {
  id: number;
  short_token: string;
  channel: 'api' | 'webhook';
}

export interface WholeTriggerMark extends TriggerMark {
  description: string | null;
}

/** `GET /projects/:id/ci/lint`. */
export interface Lint {
  valid: boolean;
  errors: string[];
  warnings: string[];
  problems?: { message: string; line: number | null; file: string | null }[];
}

export interface Pipeline {
  id: number;
  iid: number;
  name: string | null;
  status: Status;
  ref: string;
  tag: boolean;
  sha: string;
  source: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  duration: number | null;
  queued_duration: number | null;
  yaml_errors: string | null;
  user: UserName | null;
  trigger: TriggerMark | null;
  commit: { title: string; author_name: string };
  /** Whether whoever asks may cancel it now, or run it again. */
  cancelable: boolean;
  retryable: boolean;
  stages: { name: string; status: Status; count: number }[];
}

export interface PipelineJob {
  id: number;
  /** It stands for another pipeline, and has no page. */
  bridge: boolean;
  name: string;
  stage: string;
  status: Status;
  allow_failure: boolean;
  needs: string[];
  scheduling: 'stage' | 'dag';
  started_at: string | null;
  finished_at: string | null;
  duration: number | null;
  retried: boolean;
  playable: boolean;
  retryable: boolean;
  cancelable: boolean;
  tags: string[];
  environment: { name: string; url: string | null } | null;
  failure_reason: string | null;
  downstream: { id: number; project_path: string; status: Status } | null;
}

export interface PipelineDetail extends Pipeline {
  trigger: WholeTriggerMark | null;
  upstream: { id: number; project_path: string } | null;
  failure_reason: string | null;
  jobs: PipelineJob[];
}

export interface ListedJob extends PipelineJob {
  created_at: string;
  pipeline: { id: number; ref: string; sha: string; source: string; trigger: TriggerMark | null };
  user: UserName | null;
}

export interface PipelineVariable {
  key: string;
  value: string;
  variable_type: string;
}

/** `GET /projects/:id/jobs/:job_id`. */
export interface Job {
  id: number;
  name: string;
  stage: string;
  status: Status;
  ref: string;
  tag: boolean;
  allow_failure: boolean;
  coverage: number | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  erased_at: string | null;
  duration: number | null;
  queued_duration: number | null;
  failure_reason?: string;
  tag_list: string[];
  user: UserName | null;
  commit: { short_id: string; title: string; author_name: string };
  pipeline: { id: number };
  runner: { id: number; description: string } | null;
  artifacts_file?: { filename: string; size: number };
  artifacts_expire_at: string | null;
}

export interface RunForm {
  inputs: {
    name: string;
    type: 'string' | 'number' | 'boolean' | 'array';
    description: string | null;
    default: unknown;
    required: boolean;
    options: unknown[] | null;
    regex: string | null;
  }[];
  variables: { key: string; value: string; description: string | null; options: string[] | null }[];
  problems: string[];
}

export interface TriggerRequest {
  id: string;
  state: 'accepted' | 'created' | 'rejected' | 'parked';
  status: number | null;
  message: string | null;
  pipeline_id: number | null;
  trigger: { id: number; short_token: string; description: string | null } | null;
  ref: string;
  channel: 'api' | 'webhook';
  user: UserName | null;
  received_at: string;
  settled_at: string | null;
  publish_attempts: number;
}

export interface TriggerRequestDetail extends TriggerRequest {
  variables: { key: string; value: string }[];
  payload: string;
  headers: Record<string, string>;
}

export interface Runner {
  id: number;
  description: string;
  paused: boolean;
  runner_type: string;
  status: 'online' | 'offline' | 'stale' | 'never_contacted';
  job_execution_status: string;
}

export interface RunnerDetail extends Runner {
  tag_list: string[];
  run_untagged: boolean;
  locked: boolean;
  contacted_at: string | null;
}

export interface Account extends UserName {
  state: 'active' | 'blocked';
  email: string | null;
  created_at: string;
  is_admin?: boolean;
}

export interface AccessToken {
  id: number;
  name: string;
  scopes: string[];
  active: boolean;
  revoked: boolean;
  created_at: string;
  last_used_at: string | null;
  expires_at: string | null;
}

export interface BrowserSession {
  id: number;
  current: boolean;
  created_at: string;
  last_used_at: string;
  expires_at: string;
  user_agent: string;
}
