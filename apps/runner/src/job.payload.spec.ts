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
    imageName: '',
    asksForArtifacts: false,
    asksForCache: false,
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
  expect(job).toMatchObject({ imageName: '', asksForArtifacts: false, asksForCache: false, hooks: [] });
});

test('dependencies count only with an archive', () => {
  const ask = (dependency: object) => parseJob({ ...smallest, dependencies: [dependency] }).asksForArtifacts;
  expect([ask({ id: 1 }), ask({ id: 1, artifacts_file: { filename: 'a.zip' } })]).toEqual([false, true]);
});

test.each([
  [null, 'job is not an object'],
  [{ ...smallest, id: '5001' }, 'id is not a number'],
  [{ ...smallest, id: 0 }, 'id is not a positive whole number'],
  [{ ...smallest, token: 'a\r\nb' }, 'token'],
  [{ ...smallest, variables: {} }, 'variables is not a list'],
  [{ ...smallest, variables: [{ key: 'A', value: 5 }] }, 'variables[A].value is not a string'],
  [{ ...smallest, steps: [{ name: 'script', script: 'echo' }] }, 'steps[].script is not a list'],
  [{ ...smallest, git_info: { depth: '20' } }, 'git_info.depth is not a number'],
])('%j is refused', (body, message) => {
  expect(() => parseJob(body)).toThrow(message);
});

test('a job that cannot be read is identified where possible', () => {
  expect(identifyJob({ ...smallest, steps: 5 })).toEqual({ id: 5001, token: 'glcbt-4f7e' });
  expect(identifyJob({ id: '5001', token: 'x' })).toBeUndefined();
  expect(identifyJob(null)).toBeUndefined();
});
