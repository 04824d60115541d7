import { identifyJob, parseJob } from './job.payload.js';

const smallest = { id: 5001, token: 'glcbt-4f7e', steps: [{ name: 'script', script: ['echo hello'] }] };

test('the smallest job gets the defaults of the protocol', () => {
  expect(parseJob(smallest)).toEqual({
    id: 5001,
    token: 'glcbt-4f7e',
    name: '',
    projectId: 0,
    projectPath: '',
    allowGitFetch: false,
    git: { repoUrl: '', ref: '', sha: '', refspecs: [], depth: 0, objectFormat: 'sha1' },
    timeoutSeconds: 7200,
    variables: [],
    steps: smallest.steps,
    hooks: [],
    image: { name: '', entrypoint: [], pullPolicy: [] },
    services: [],
    artifacts: [],
    cache: [],
    dependencies: [],
    credentials: [],
    traceSections: false,
    failureReasons: [],
    tokenMaskPrefixes: [],
  });
});

test('null stands for an absent list or object, and unknown fields are ignored', () => {
  const job = parseJob({
    ...smallest,
    image: null,
    services: null,
    artifacts: null,
    cache: null,
    hooks: null,
    run: 'x',
    inputs: {},
  });
  expect(job).toMatchObject({ image: { name: '' }, services: [], artifacts: [], cache: [], hooks: [] });
});

test('dependencies count only with an archive', () => {
  const read = (dependency: object) => parseJob({ ...smallest, dependencies: [dependency] }).dependencies;
  expect(read({ id: 1 })).toEqual([]);
  expect(read({ id: 1, name: 'a', token: 't', artifacts_file: { filename: 'a.zip' } })).toEqual([
    { id: 1, name: 'a', token: 't' },
  ]);
});

test('artifacts and caches get the defaults of the protocol', () => {
  const job = parseJob({ ...smallest, artifacts: [{ paths: ['a'], when: '' }], cache: [{ key: 'k', paths: ['b'] }] });
  expect(job.artifacts).toEqual([
    {
      name: '',
      untracked: false,
      paths: ['a'],
      exclude: [],
      when: 'on_success',
      expireIn: '',
      type: 'archive',
      format: 'zip',
    },
  ]);
  expect(job.cache).toEqual([
    { key: 'k', fallbackKeys: [], untracked: false, paths: ['b'], policy: 'pull-push', when: 'on_success' },
  ]);
});

test.each([
  [null, 'job is not an object'],
  [{ ...smallest, id: '5001' }, 'id is not a number'],
  [{ ...smallest, id: 0 }, 'id is not a positive whole number'],
  [{ ...smallest, token: 'a\r\nb' }, 'token'],
  [{ ...smallest, variables: {} }, 'variables is not a list'],
  [{ ...smallest, variables: [{ key: 'A', value: 5 }] }, 'variables[A].value is not a string'],
  [{ ...smallest, steps: [{ name: 'script', script: 'echo' }] }, 'steps[].script is not a list'],
  [
    { ...smallest, artifacts: [{ artifact_format: 'tarzstd' }] },
    'artifacts[].artifact_format is "tarzstd", not one of zip',
  ],
  [{ ...smallest, image: { entrypoint: '/bin/sh' } }, 'image.entrypoint is not a list'],
  [
    { ...smallest, dependencies: [{ artifacts_file: { filename: 'a' }, token: 't' }] },
    'dependencies[].id is not a number',
  ],
  [{ ...smallest, git_info: { depth: '20' } }, 'git_info.depth is not a number'],
])('%j is refused', (body, message) => {
  expect(() => parseJob(body)).toThrow(message);
});

test('a job that cannot be read is identified where possible', () => {
  expect(identifyJob({ ...smallest, steps: 5 })).toEqual({ id: 5001, token: 'glcbt-4f7e' });
  expect(identifyJob({ id: '5001', token: 'x' })).toBeUndefined();
  expect(identifyJob(null)).toBeUndefined();
});
