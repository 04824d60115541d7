/** The 201 body of `POST jobs/request`, reduced to what this runner reads (runner-api.md §2.4). */
export interface JobPayload {
  id: number;
  /** Job token: authenticates what is said about the job. */
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
  /** An empty name where the job asks for none. */
  image: Image;
  services: Service[];
  artifacts: ArtifactSpec[];
  cache: CacheSpec[];
  dependencies: Dependency[];
  /** For image registries. */
  credentials: RegistryCredential[];
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
  /** Services in containers get it. */
  public?: boolean;
  masked?: boolean;
  file?: boolean;
  raw?: boolean;
}

interface JobStep {
  name: string;
  script: string[];
}

/** When an archive is made: after a job that succeeded, failed, or either. */
type ArchiveWhen = 'on_success' | 'on_failure' | 'always';

/** One archive or report to be uploaded (runner-api.md §5.2). */
export interface ArtifactSpec {
  name: string;
  untracked: boolean;
  paths: string[];
  exclude: string[];
  when: ArchiveWhen;
  expireIn: string;
  type: string;
  format: 'zip' | 'gzip' | 'raw';
}

export interface CacheSpec {
  key: string;
  fallbackKeys: string[];
  untracked: boolean;
  paths: string[];
  /** May hold a variable. */
  policy: string;
  when: ArchiveWhen;
}

/** An earlier job with an archive to be unpacked here (runner-api.md §5.4). */
export interface Dependency {
  id: number;
  name: string;
  token: string;
}

export interface Image {
  name: string;
  /** Empty where the image's own stays. */
  entrypoint: string[];
  /** In the order in which they are tried; empty for the runner's. */
  pullPolicy: string[];
}

export interface Service extends Image {
  /** Further names of its host, parted by blanks or commas. */
  alias: string;
  command: string[];
  variables: JobVariable[];
}

export interface RegistryCredential {
  url: string;
  username: string;
  password: string;
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
  const id = number(job['id'], 'id');
  if (!Number.isSafeInteger(id) || id <= 0) throw new TypeError('id is not a positive whole number');
  const token = headerText(job['token'], 'token');
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
      refspecs: texts(git['refspecs'], 'git_info.refspecs'),
      depth: number(git['depth'] ?? 0, 'git_info.depth'),
      objectFormat: text(git['repo_object_format'] ?? 'sha1', 'git_info.repo_object_format'),
    },
    timeoutSeconds: number(runner['timeout'] ?? 0, 'runner_info.timeout') || DEFAULT_TIMEOUT_SECONDS,
    variables: list(job['variables'], 'variables').map(variable),
    steps: list(job['steps'], 'steps').map((one) => step(one, 'steps')),
    hooks: list(job['hooks'], 'hooks').map((one) => step(one, 'hooks')),
    image: image(job['image'] ?? {}, 'image'),
    services: list(job['services'], 'services').map(service),
    artifacts: list(job['artifacts'], 'artifacts').map(artifact),
    cache: list(job['cache'], 'cache').map(cache),
    dependencies: list(job['dependencies'], 'dependencies').flatMap(dependency),
    credentials: list(job['credentials'], 'credentials').flatMap(credential),
    traceSections: features['trace_sections'] === true,
    failureReasons: texts(features['failure_reasons'], 'features.failure_reasons'),
    tokenMaskPrefixes: texts(features['token_mask_prefixes'], 'features.token_mask_prefixes'),
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
    public: one['public'] === true,
    masked: one['masked'] === true,
    file: one['file'] === true,
    raw: one['raw'] === true,
  };
}

function step(entry: unknown, where: string): JobStep {
  const one = object(entry, `${where}[]`);
  return {
    name: text(one['name'] ?? '', `${where}[].name`),
    script: texts(one['script'], `${where}[].script`),
  };
}

function artifact(entry: unknown): ArtifactSpec {
  const one = object(entry, 'artifacts[]');
  return {
    name: text(one['name'] ?? '', 'artifacts[].name'),
    ...fileChoice(one, 'artifacts[]'),
    exclude: texts(one['exclude'], 'artifacts[].exclude'),
    expireIn: text(one['expire_in'] ?? '', 'artifacts[].expire_in'),
    type: text(one['artifact_type'] ?? 'archive', 'artifacts[].artifact_type'),
    format: word(one['artifact_format'] ?? 'zip', ['zip', 'gzip', 'raw'], 'artifacts[].artifact_format'),
  };
}

function cache(entry: unknown): CacheSpec {
  const one = object(entry, 'cache[]');
  return {
    key: text(one['key'] ?? '', 'cache[].key'),
    fallbackKeys: texts(one['fallback_keys'], 'cache[].fallback_keys'),
    ...fileChoice(one, 'cache[]'),
    policy: text(one['policy'] ?? 'pull-push', 'cache[].policy'),
  };
}

function fileChoice(one: Record<string, unknown>, where: string) {
  return {
    untracked: one['untracked'] === true,
    paths: texts(one['paths'], `${where}.paths`),
    when: word(one['when'] ?? 'on_success', ['on_success', 'on_failure', 'always'], `${where}.when`),
  };
}

/** Nothing for one without a file name: it carries no archive (runner-api.md §5.4). */
function dependency(entry: unknown): Dependency[] {
  const one = object(entry, 'dependencies[]');
  const file = object(one['artifacts_file'] ?? {}, 'dependencies[].artifacts_file');
  if (typeof file['filename'] !== 'string' || file['filename'] === '') return [];
  const id = number(one['id'], 'dependencies[].id');
  if (!Number.isSafeInteger(id) || id <= 0) throw new TypeError('dependencies[].id is not a positive whole number');
  return [
    {
      id,
      name: text(one['name'] ?? '', 'dependencies[].name'),
      token: headerText(one['token'], 'dependencies[].token'),
    },
  ];
}

function image(entry: unknown, where: string): Image {
  const one = object(entry, where);
  return {
    name: text(one['name'] ?? '', `${where}.name`),
    entrypoint: texts(one['entrypoint'], `${where}.entrypoint`),
    pullPolicy: texts(one['pull_policy'], `${where}.pull_policy`),
  };
}

function service(entry: unknown): Service {
  const one = object(entry, 'services[]');
  return {
    ...image(one, 'services[]'),
    alias: text(one['alias'] ?? '', 'services[].alias'),
    command: texts(one['command'], 'services[].command'),
    variables: list(one['variables'], 'services[].variables').map(variable),
  };
}

function credential(entry: unknown): RegistryCredential[] {
  const one = object(entry, 'credentials[]');
  if (one['type'] !== 'registry') return [];
  return [
    {
      url: text(one['url'], 'credentials[].url'),
      username: text(one['username'] ?? '', 'credentials[].username'),
      password: text(one['password'] ?? '', 'credentials[].password'),
    },
  ];
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

function texts(value: unknown, where: string): string[] {
  return list(value, where).map((one) => text(one, where));
}

/** A text that an HTTP header can carry. */
function headerText(value: unknown, where: string): string {
  const found = text(value, where);
  if (!/^[\x21-\x7e]+$/.test(found))
    throw new TypeError(`${where} is empty or has characters that no header can carry`);
  return found;
}

/** One of some words, the first where it is empty: GitLab leaves fields empty that were not given. */
function word<Word extends string>(value: unknown, words: readonly [Word, ...Word[]], where: string): Word {
  const found = text(value, where);
  if (found === '') return words[0];
  const known = words.find((one) => one === found);
  if (known === undefined) throw new TypeError(`${where} is ${JSON.stringify(found)}, not one of ${words.join(', ')}`);
  return known;
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
