/** What is wrong with a value at a place; nothing where it is as it should be. */
type Check = (value: unknown, place: string) => string[];

const is =
  (kind: string, holds: (value: unknown) => boolean): Check =>
  (value, place) =>
    holds(value) ? [] : [`${place} is ${JSON.stringify(value)}, not ${kind}`];

const text = is('a text', (value) => typeof value === 'string');
const flag = is('true or false', (value) => typeof value === 'boolean');
const number = is('a number', (value) => typeof value === 'number');
const whole = is('a whole number', Number.isSafeInteger);
const positive = is('a whole number above 0', (value) => Number.isSafeInteger(value) && (value as number) > 0);
const matching = (pattern: RegExp) =>
  is(`a text like ${pattern}`, (value) => typeof value === 'string' && pattern.test(value));
/** A word that runners know; they know it when it comes out of a variable, too. */
const word = (...words: string[]) => matching(new RegExp(`^(?:${words.join('|')}|.*\\$.*)$`));

const listOf =
  (each: Check): Check =>
  (value, place) =>
    Array.isArray(value)
      ? value.flatMap((one, index) => each(one, `${place}[${index}]`))
      : [`${place} is ${JSON.stringify(value)}, not a list`];

/** Fields whose names end with `?` may be left out; no other ones may be there. */
function object(fields: Record<string, Check>): Check {
  const checks = new Map(Object.entries(fields).map(([name, check]) => [name.replace('?', ''), check]));
  const required = Object.keys(fields).filter((name) => !name.endsWith('?'));
  return (value, place) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return [`${place} is ${JSON.stringify(value)}, not an object`];
    const missing = required.filter((name) => !(name in value)).map((name) => `${place}.${name} is missing`);
    const wrong = Object.entries(value).flatMap(
      ([name, field]) =>
        checks.get(name)?.(field, `${place}.${name}`) ?? [`${place}.${name} is nothing that runners know`],
    );
    return [...missing, ...wrong];
  };
}

const texts = listOf(text);
const variables = listOf(
  object({ key: matching(/./), value: text, 'public?': flag, 'masked?': flag, 'file?': flag, 'raw?': flag }),
);
const image = {
  name: matching(/./),
  'entrypoint?': texts,
  'pull_policy?': listOf(word('always', 'if-not-present', 'never')),
  'executor_opts?': object({
    'docker?': object({ 'platform?': text, 'user?': text }),
    'kubernetes?': object({ 'user?': text }),
  }),
};
const when = word('on_success', 'on_failure', 'always');

const job = object({
  id: positive,
  token: matching(/^glcbt-[\w-]{20,}$/),
  allow_git_fetch: flag,
  job_info: object({
    id: positive,
    name: matching(/./),
    stage: matching(/./),
    pipeline_id: positive,
    project_id: positive,
    project_name: matching(/./),
    project_full_path: matching(/.\/./),
    namespace_id: positive,
    root_namespace_id: positive,
    'user_id?': positive,
    time_in_queue_seconds: number,
    project_jobs_running_on_instance_runners_count: text,
  }),
  git_info: object({
    repo_url: matching(/^https?:\/\/gitlab-ci-token:glcbt-[\w-]+@[^/]+\/.+\.git$/),
    ref: matching(/./),
    sha: matching(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/),
    before_sha: matching(/^[0-9a-f]+$/),
    ref_type: word('branch', 'tag'),
    refspecs: listOf(matching(/^\+refs\/\S+:refs\/\S+$/)),
    depth: whole,
    repo_object_format: word('sha1', 'sha256'),
    protected: flag,
  }),
  runner_info: object({ timeout: positive }),
  inputs: listOf(object({})),
  variables,
  steps: listOf(
    object({ name: word('script', 'after_script'), script: texts, timeout: positive, when, allow_failure: flag }),
  ),
  'hooks?': listOf(object({ name: word('pre_get_sources_script'), script: texts })),
  'image?': object(image),
  services: listOf(object({ ...image, 'alias?': text, 'command?': texts, 'variables?': variables })),
  artifacts: listOf(
    object({
      'name?': text,
      'untracked?': flag,
      'paths?': texts,
      'exclude?': texts,
      when,
      'expire_in?': text,
      artifact_type: matching(/^[a-z_0-9]+$/),
      artifact_format: word('zip', 'gzip', 'raw'),
    }),
  ),
  cache: listOf(
    object({
      key: matching(/./),
      untracked: flag,
      paths: texts,
      policy: word('pull-push', 'pull', 'push'),
      when,
      fallback_keys: texts,
    }),
  ),
  credentials: listOf(object({ type: text, url: text, username: text, password: text })),
  dependencies: listOf(
    object({
      id: positive,
      name: matching(/./),
      token: matching(/^glcbt-/),
      artifacts_file: object({ filename: matching(/./), size: whole }),
    }),
  ),
  features: object({ trace_sections: flag, failure_reasons: texts }),
});

/**
 * What of a job the unmodified gitlab-runner would not decode, or would not run (runner-api.md §2.4): its decoder drops the whole job for one
 * wrong type, and a field that it does not know is a field with a wrong name.
 */
export function undecodable(payload: unknown): string[] {
  return job(payload, 'job');
}
