import type { Job } from '#libs/ci-config';
import type { ProjectForCreation, ProjectVariable } from '../projects/project-reader.js';
import type { HandedOutJob } from './handed-out-job.js';
import { jobPayload } from './job-payload.js';

const sha = '2f1e9c0d6b7a8f5e4d3c2b1a09f8e7d6c5b4a392';
const token = 'glcbt-4f7e1c0a9b2d';

const definition: Job = {
  name: 'build app',
  stage: 'build',
  stageIdx: 1,
  when: 'on_success',
  allowFailure: false,
  scheduling: 'stage',
  needs: [],
  variables: [],
  tags: [],
  options: { script: ['make'], beforeScript: ['echo before'], afterScript: [], services: [], cache: [] },
};

const job: HandedOutJob = {
  id: 5002,
  name: 'build app',
  stage: 'build',
  definition,
  timeoutSeconds: 3600,
  playedVariables: null,
  pipeline: {
    id: 811,
    iid: 4,
    source: 'trigger',
    ref: 'main',
    tag: false,
    tagMessage: null,
    protected: true,
    sha,
    commit: {
      sha,
      parentIds: [],
      message: 'Save $5 with $HOME\n\nNow.',
      authorName: 'Ada',
      authorEmail: 'ada@example.com',
      authoredAt: '2026-01-07T09:53:58.000Z',
      committerName: 'Ada',
      committerEmail: 'ada@example.com',
      committedAt: '2026-01-07T09:53:58.000Z',
    },
    createdAt: '2026-01-07T10:00:00.000Z',
    name: null,
    triggerShortToken: 'abcd',
    variables: [],
  },
  user: { id: 7, username: 'ada', name: 'Ada', email: 'ada@example.com' },
  dependencies: [],
  waited: 1.25,
};

const project = {
  id: 12,
  path: 'team/app',
  slug: 'app',
  name: 'App',
  description: null,
  namespace: { id: 3, path: 'team', kind: 'group' },
  visibility: 'private',
  defaultBranch: 'main',
  ciConfigPath: null,
  timeoutSeconds: 3600,
  gitDepth: 20,
  variables: [],
} as unknown as ProjectForCreation;

const runner = { id: 9, description: 'build host', tagList: ['linux', 'shell'], maximumTimeout: null };
const now = new Date('2026-01-07T10:00:01.250Z');
const to = {
  server: { externalUrl: 'http://ci.example:8080', version: '17.11.0', revision: 'abc' },
  runner,
  token,
  now,
};

type Sent = { key: string; value: string; masked: boolean; public: boolean; raw?: boolean; file?: boolean };

function payloadOf(change: Partial<HandedOutJob> = {}, settings: Partial<ProjectVariable>[] = []) {
  const variables = settings.map((variable) => ({
    variableType: 'env_var',
    protected: false,
    masked: false,
    raw: false,
    environmentScope: '*',
    ...variable,
  }));
  // oxlint-disable-next-line typescript/no-explicit-any -- JSON
  return jobPayload({ ...job, ...change }, { ...project, variables } as ProjectForCreation, to) as any;
}

function variablesOf(payload: { variables: Sent[] }): Record<string, Sent> {
  return Object.fromEntries(payload.variables.map((variable) => [variable.key, variable]));
}

const withFile = (...variables: Job['variables']) => ({ definition: { ...definition, variables } });
const sentBy = (pairs: Record<string, string>) => ({
  pipeline: {
    ...job.pipeline,
    variables: Object.entries(pairs).map(([key, value]) => ({ key, value, type: 'env_var' as const })),
  },
});

it('is the job that runner-api.md §2.4 describes', () => {
  const { variables, ...payload } = payloadOf();
  expect(variables.length).toBeGreaterThan(50);
  expect(payload).toEqual({
    id: 5002,
    token,
    allow_git_fetch: true,
    job_info: {
      id: 5002,
      name: 'build app',
      stage: 'build',
      pipeline_id: 811,
      project_id: 12,
      project_name: 'app',
      project_full_path: 'team/app',
      namespace_id: 3,
      root_namespace_id: 3,
      user_id: 7,
      time_in_queue_seconds: 1.25,
      project_jobs_running_on_instance_runners_count: '0',
    },
    git_info: {
      repo_url: `http://gitlab-ci-token:${token}@ci.example:8080/team/app.git`,
      ref: 'main',
      sha,
      before_sha: '0'.repeat(40),
      ref_type: 'branch',
      refspecs: ['+refs/pipelines/811:refs/pipelines/811', '+refs/pipelines/811:refs/remotes/origin/main'],
      depth: 20,
      repo_object_format: 'sha1',
      protected: true,
    },
    runner_info: { timeout: 3600 },
    inputs: [],
    steps: [
      { name: 'script', script: ['echo before', 'make'], timeout: 3600, when: 'on_success', allow_failure: false },
    ],
    services: [],
    cache: [],
    artifacts: [],
    credentials: [],
    dependencies: [],
    features: {
      trace_sections: true,
      failure_reasons: expect.arrayContaining(['script_failure', 'job_canceled']) as unknown,
    },
  });
});

/** What Go's decoder takes for each field (runner-api.md §2.4): one wrong type and the runner drops the job. */
it('has every field in the type that a runner decodes', () => {
  const options: Job['options'] = {
    ...definition.options,
    afterScript: ['echo bye'],
    image: {
      name: 'alpine',
      entrypoint: ['/bin/sh'],
      pullPolicy: ['always'],
      executorOptions: {
        docker: { platform: 'linux/arm64', user: 1000, privileged: true },
        kubernetes: { user: ['x'] },
      },
    },
    services: [{ name: 'postgres', alias: 'db', command: ['postgres'], variables: [{ key: 'A', value: '1' }] }],
    cache: [
      { key: 'k', paths: ['a/'], policy: 'pull', when: 'always', fallbackKeys: ['f'] },
      { key: 'shared', paths: ['a/'], policy: 'pull', when: 'always', fallbackKeys: ['f'], unprotect: true },
    ],
    hooks: { preGetSourcesScript: ['echo cloning'] },
    artifacts: { paths: ['dist/'] },
  };
  const payload = payloadOf({ definition: { ...definition, options } });
  const texts = expect.arrayContaining([expect.any(String)]) as unknown;
  expect(payload).toMatchObject({
    image: {
      name: 'alpine',
      entrypoint: texts,
      pull_policy: texts,
      executor_opts: { docker: { platform: 'linux/arm64', user: '1000' } },
    },
    services: [{ name: 'postgres', alias: 'db', command: texts, variables: [{ key: 'A', value: '1' }] }],
    cache: [
      {
        key: 'k-protected',
        untracked: false,
        paths: texts,
        policy: 'pull',
        when: 'always',
        fallback_keys: ['f-protected'],
      },
      { key: 'shared-non_protected', fallback_keys: ['f-non_protected'] },
    ],
    hooks: [{ name: 'pre_get_sources_script', script: ['echo cloning'] }],
    steps: [{ name: 'script' }, { name: 'after_script', when: 'always', allow_failure: true, timeout: 3600 }],
  });
  expect(Object.keys(payload.image.executor_opts)).toEqual(['docker']);
  expect(payload.artifacts).toEqual([
    { untracked: false, paths: ['dist/'], when: 'on_success', artifact_type: 'archive', artifact_format: 'zip' },
  ]);
  for (const { key, value, public: open, masked, ...flags } of payload.variables) {
    expect([key, typeof key, typeof value, typeof open, typeof masked]).toEqual([
      key,
      'string',
      'string',
      'boolean',
      'boolean',
    ]);
    expect(Object.entries(flags).every(([name, flag]) => ['file', 'raw'].includes(name) && flag === true)).toBe(true);
  }
});

it('takes the smaller one of the timeouts of job and runner', () => {
  const payload = jobPayload(job, project, { ...to, runner: { ...runner, maximumTimeout: 600 } });
  expect(payload).toMatchObject({ runner_info: { timeout: 600 }, steps: [{ timeout: 600 }] });
});

describe('sources', () => {
  const tag = { pipeline: { ...job.pipeline, ref: 'v1', tag: true } };
  const own = '+refs/pipelines/811:refs/pipelines/811';
  it.each([
    ['a tag', tag, 20, [own, '+refs/tags/v1:refs/tags/v1']],
    ['a depth', withFile({ key: 'GIT_DEPTH', value: '3' }), 3, [own, '+refs/pipelines/811:refs/remotes/origin/main']],
    [
      'all of the history',
      withFile({ key: 'GIT_DEPTH', value: '0' }),
      0,
      [own, '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'],
    ],
    [
      'a depth that is none',
      withFile({ key: 'GIT_DEPTH', value: '' }),
      20,
      [own, '+refs/pipelines/811:refs/remotes/origin/main'],
    ],
  ])('%s', (_, change, depth, refspecs) => {
    expect(payloadOf(change).git_info).toMatchObject({ depth, refspecs });
  });
});

describe('variables', () => {
  it('tell what was predefined, without a reference in what people wrote', () => {
    const variables = variablesOf(payloadOf());
    const expected = {
      CI: 'true',
      CI_JOB_ID: '5002',
      CI_JOB_NAME: 'build app',
      CI_JOB_STAGE: 'build',
      CI_JOB_URL: 'http://ci.example:8080/team/app/-/jobs/5002',
      CI_JOB_STARTED_AT: '2026-01-07T10:00:01Z',
      CI_PIPELINE_ID: '811',
      CI_PIPELINE_IID: '4',
      CI_PIPELINE_URL: 'http://ci.example:8080/team/app/-/pipelines/811',
      CI_PIPELINE_SOURCE: 'trigger',
      CI_PIPELINE_TRIGGERED: 'true',
      CI_TRIGGER_SHORT_TOKEN: 'abcd',
      CI_COMMIT_SHORT_SHA: '2f1e9c0d',
      CI_COMMIT_BRANCH: 'main',
      CI_PROJECT_PATH: 'team/app',
      CI_REPOSITORY_URL: `http://gitlab-ci-token:${token}@ci.example:8080/team/app.git`,
      CI_RUNNER_ID: '9',
      CI_RUNNER_TAGS: '["linux","shell"]',
      GITLAB_USER_LOGIN: 'ada',
    };
    expect(Object.fromEntries(Object.keys(expected).map((key) => [key, variables[key]?.value]))).toEqual(expected);
    expect(variables['CI_COMMIT_TITLE']).toMatchObject({ value: 'Save $5 with $HOME', raw: true });
    expect(variables['CI_JOB_TOKEN']).toMatchObject({ value: token, masked: true, public: false });
  });

  it.each<[string, Record<string, string>, Record<string, string>]>([
    ['refer to each other in any order', { A: '$B!', B: '$CI_JOB_ID' }, { A: '5002!', B: '5002' }],
    ['leave to the runner what only it knows', { A: '$CI_PROJECT_DIR/x' }, { A: '$CI_PROJECT_DIR/x' }],
    ['leave to the runner what is raw', { A: 'title: $CI_COMMIT_TITLE' }, { A: 'title: $CI_COMMIT_TITLE' }],
    ['keep what is shielded', { A: '$$B', B: '1' }, { A: '$$B' }],
    ['keep a dollar that is none', { A: '5$ each' }, { A: '5$ each' }],
  ])('%s', (_, given, expected) => {
    const variables = variablesOf(payloadOf(sentBy(given)));
    for (const [key, value] of Object.entries(expected)) {
      expect(variables[key]?.value).toBe(value);
      expect(variables[key]?.raw).toBeUndefined();
    }
  });

  it('come from the highest layer that has them', () => {
    const settings = [{ key: 'A', value: 'settings' }];
    expect(variablesOf(payloadOf(withFile({ key: 'A', value: 'file' })))['A']?.value).toBe('file');
    expect(variablesOf(payloadOf(withFile({ key: 'A', value: 'file' }), settings))['A']?.value).toBe('settings');
    expect(variablesOf(payloadOf(sentBy({ A: 'trigger' }), settings))['A']?.value).toBe('trigger');
    const played = { ...sentBy({ A: 'trigger' }), playedVariables: [{ key: 'A', value: 'played' }] };
    expect(variablesOf(payloadOf(played, settings))['A']?.value).toBe('played');
    expect(variablesOf(payloadOf(sentBy({ CI_PIPELINE_SOURCE: 'push' })))['CI_PIPELINE_SOURCE']?.value).toBe('push');
  });

  it('of the project are masked, raw or files as they are set, and nothing that services see', () => {
    const settings: Partial<ProjectVariable>[] = [
      { key: 'SECRET', value: 's3cr3t', masked: true },
      { key: 'RAW', value: '$A', raw: true },
      { key: 'CERT', value: 'pem', variableType: 'file' },
    ];
    expect(variablesOf(payloadOf({}, settings))).toMatchObject({
      SECRET: { value: 's3cr3t', masked: true, public: false },
      RAW: { value: '$A', raw: true },
      CERT: { value: 'pem', file: true },
    });
  });

  it('that are protected stay away from refs that are not', () => {
    const settings = [{ key: 'KEY', value: 'x', protected: true }];
    expect(variablesOf(payloadOf({}, settings))['KEY']).toBeDefined();
    const open = { pipeline: { ...job.pipeline, protected: false } };
    expect(variablesOf(payloadOf(open, settings))['KEY']).toBeUndefined();
  });

  it.each([
    ['review/one', ['review/*'], 'review/*'],
    ['review/one', ['*', 'review/*', 'review/o*'], 'review/o*'],
    ['review/one', ['review/one', 'review/*'], 'review/one'],
    ['review/one', ['*/one', 'prod'], '*/one'],
    ['review/one', ['prod', 'review'], undefined],
    ['aa', ['a*a*a'], undefined],
    [undefined, ['*', 'prod'], '*'],
  ])('for environment %s and scopes %j: %s', (name, scopes, expected) => {
    const environment = name === undefined ? undefined : { name, action: 'start' };
    const settings = scopes.map((scope) => ({ key: 'WHERE', value: scope, environmentScope: scope, raw: true }));
    const variables = variablesOf(payloadOf({ definition: { ...definition, environment } }, settings));
    expect(variables['WHERE']?.value).toBe(expected);
  });

  it('of the call that are files are taken as they are', () => {
    const payload = '{"ref":"main","price":"$5"}';
    const change = {
      pipeline: { ...job.pipeline, variables: [{ key: 'TRIGGER_PAYLOAD', value: payload, type: 'file' as const }] },
    };
    expect(variablesOf(payloadOf(change))['TRIGGER_PAYLOAD']).toMatchObject({ value: payload, file: true, raw: true });
  });

  it('that refer to each other in a circle cannot be handed out', () => {
    expect(() => payloadOf(sentBy({ A: '$B', B: '$A' }))).toThrow('circular variable reference');
  });
});
