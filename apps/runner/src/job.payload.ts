/** The 201 body of `POST jobs/request`, reduced to what a shell executor reads (runner-api.md §2.4). */
export interface JobPayload {
  id: number;
  /** Job token: authenticates PUT and PATCH. */
  token: string;
  name: string;
  projectId: number;
  projectPath: string;
  allowGitFetch: boolean;
  git: GitInfo;
  /** Whole-job limit in seconds. */
  timeoutSeconds: number;
  variables: JobVariable[];
  steps: JobStep[];
  hooks: JobStep[];
  imageName: string;
  /** What the job asks for and this runner does not do; named in its log. */
  asksForArtifacts: boolean;
  asksForCache: boolean;
  traceSections: boolean;
  failureReasons: string[];
  tokenMaskPrefixes: string[];
}

export interface GitInfo {
  repoUrl: string;
  ref: string;
  sha: string;
  refspecs: string[];
  /** 0 = full history. */
  depth: number;
  objectFormat: string;
}

export interface JobVariable {
  key: string;
  value: string;
  masked?: boolean;
  file?: boolean;
  raw?: boolean;
}

interface JobStep {
  name: string;
  script: string[];
}

/** runner-api.md §2.4: an absent or zero `runner_info.timeout` means two hours. */
const DEFAULT_TIMEOUT_SECONDS = 7200;

/**
 * Reads a job out of a decoded JSON body. Absent optional fields get GitLab's defaults, unknown ones are ignored.
 * @throws {TypeError} naming the field, when a field that cannot be defaulted is missing or any field has the wrong type
 */
export function parseJob(body: unknown): JobPayload {
  const job = object(body, 'job');
  const info = object(job['job_info'] ?? {}, 'job_info');
  const git = object(job['git_info'] ?? {}, 'git_info');
  const features = object(job['features'] ?? {}, 'features');
  const runner = object(job['runner_info'] ?? {}, 'runner_info');
  const image = object(job['image'] ?? {}, 'image');
  const id = number(job['id'], 'id');
  if (!Number.isSafeInteger(id) || id <= 0) throw new TypeError('id is not a positive whole number');
  const token = text(job['token'], 'token');
  if (!/^[\x21-\x7e]+$/.test(token)) throw new TypeError('token is empty or has characters that no header can carry');
  return {
    id,
    token,
    name: text(info['name'] ?? '', 'job_info.name'),
    projectId: number(info['project_id'] ?? 0, 'job_info.project_id'),
    projectPath: text(info['project_full_path'] ?? '', 'job_info.project_full_path'),
    allowGitFetch: job['allow_git_fetch'] === true,
    git: {
      repoUrl: text(git['repo_url'] ?? '', 'git_info.repo_url'),
      ref: text(git['ref'] ?? '', 'git_info.ref'),
      sha: text(git['sha'] ?? '', 'git_info.sha'),
      refspecs: list(git['refspecs'], 'git_info.refspecs').map((one) => text(one, 'git_info.refspecs')),
      depth: number(git['depth'] ?? 0, 'git_info.depth'),
      objectFormat: text(git['repo_object_format'] ?? 'sha1', 'git_info.repo_object_format'),
    },
    timeoutSeconds: number(runner['timeout'] ?? 0, 'runner_info.timeout') || DEFAULT_TIMEOUT_SECONDS,
    variables: list(job['variables'], 'variables').map(variable),
    steps: list(job['steps'], 'steps').map((one) => step(one, 'steps')),
    hooks: list(job['hooks'], 'hooks').map((one) => step(one, 'hooks')),
    imageName: text(image['name'] ?? '', 'image.name'),
    asksForArtifacts:
      list(job['artifacts'], 'artifacts').length > 0 || list(job['dependencies'], 'dependencies').some(hasArchive),
    asksForCache: list(job['cache'], 'cache').length > 0,
    traceSections: features['trace_sections'] === true,
    failureReasons: list(features['failure_reasons'], 'features.failure_reasons').map((one) =>
      text(one, 'features.failure_reasons'),
    ),
    tokenMaskPrefixes: list(features['token_mask_prefixes'], 'features.token_mask_prefixes').map((one) =>
      text(one, 'features.token_mask_prefixes'),
    ),
  };
}

/** The id and token of a body that does not parse as a job, so that the job can at least be reported as failed. */
export function identifyJob(body: unknown): { id: number; token: string } | undefined {
  const { id, token } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  return typeof id === 'number' && Number.isSafeInteger(id) && typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)
    ? { id, token }
    : undefined;
}

function variable(entry: unknown): JobVariable {
  const one = object(entry, 'variables[]');
  const key = text(one['key'], 'variables[].key');
  return {
    key,
    value: text(one['value'] ?? '', `variables[${key}].value`),
    masked: one['masked'] === true,
    file: one['file'] === true,
    raw: one['raw'] === true,
  };
}

function step(entry: unknown, where: string): JobStep {
  const one = object(entry, `${where}[]`);
  return {
    name: text(one['name'] ?? '', `${where}[].name`),
    script: list(one['script'], `${where}[].script`).map((line) => text(line, `${where}[].script`)),
  };
}

/** Dependencies without a file name carry no archive (runner-api.md §5.4). */
function hasArchive(dependency: unknown): boolean {
  const file = object(object(dependency, 'dependencies[]')['artifacts_file'] ?? {}, 'dependencies[].artifacts_file');
  return typeof file['filename'] === 'string' && file['filename'] !== '';
}

function object(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError(`${where} is not an object`);
  return value as Record<string, unknown>;
}

function list(value: unknown, where: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new TypeError(`${where} is not a list`);
  return value;
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string') throw new TypeError(`${where} is not a string`);
  return value;
}

function number(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
    throw new TypeError(`${where} is not a number`);
  return value;
}
