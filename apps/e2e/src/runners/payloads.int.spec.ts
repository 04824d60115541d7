// needs: rabbitmq
import { undecodable } from '../testing/decoded-job.js';
import { startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner, TakenJob } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

/** Jobs of every kind as a runner gets them: each decodes, and says what the file says (runner-api.md §2.4). */
const flagfall = startsFlagfall({ name: 'payloads', environment: { REQUEST_HOLD_MS: '0' } });

const scanners = [
  'accessibility', 'annotations', 'api_fuzzing', 'browser_performance', 'cluster_image_scanning', 'codequality', 'container_scanning',
  'coverage_fuzzing', 'dast', 'dependency_scanning', 'license_scanning', 'load_performance', 'repository_xray', 'requirements',
  'requirements_v2', 'sast', 'secret_detection', 'terraform',
]; // prettier-ignore

const config = `
stages: [build, test]
default:
  image: { name: "alpine:$TAG", entrypoint: ["/bin/sh", "-c"] }
  hooks: { pre_get_sources_script: [echo hook] }
variables:
  TAG: { value: "3.20", description: of the image }
  LITERAL: { value: "5$ of $TAG", expand: false }
plain: { stage: build, script: make }
scripts: { stage: build, before_script: [one], script: [[two, [three]], "four\\nfive"], after_script: [[six], seven], timeout: 1h 30m }
images:
  stage: build
  image: { name: node, entrypoint: [""], pull_policy: [always, never], docker: { user: 1000, platform: linux/arm64 }, kubernetes: { user: "10:20" } }
  services:
  - postgres:16
  - { name: "redis:$TAG", alias: "cache,other", command: [serve, --all], entrypoint: [/bin/e], pull_policy: if-not-present, variables: { PW: x, N: 5 }, docker: { user: 0 } }
  script: make
caches:
  stage: build
  script: make
  cache:
  - { key: "$CI_COMMIT_REF_SLUG", paths: [a/], policy: pull, when: always, fallback_keys: [f1, "f$TAG"] }
  - { paths: [b/], untracked: true, unprotect: true, policy: $POLICY }
archive:
  stage: build
  script: make
  artifacts: { name: "$CI_JOB_NAME", untracked: true, paths: ["$CI_JOB_NAME/x"], exclude: ["a/**"], when: always, expire_in: never }
reports:
  stage: build
  script: make
  artifacts:
    reports:
      junit: [a.xml, b.xml]
      dotenv: d.env
      metrics: m.txt
      cyclonedx: ["gl-sbom-*.cdx.json"]
      coverage_report: { coverage_format: cobertura, path: c.xml }
${scanners.map((name) => `      ${name}: ${name}.json`).join('\n')}
matrix: { stage: build, script: make, parallel: { matrix: [{ SIDE: [left, right], SIZE: "1" }] } }
environment: { stage: build, script: make, environment: { name: "review/$CI_COMMIT_REF_SLUG", url: "https://$CI_ENVIRONMENT_SLUG.example", on_stop: stop } }
stop: { stage: build, script: make, when: manual, allow_failure: true, environment: { name: "review/$CI_COMMIT_REF_SLUG", action: stop } }
delayed: { stage: build, script: make, when: delayed, start_in: 1 second }
forgiving: { stage: build, script: make, allow_failure: { exit_codes: [3] }, retry: { max: 2, when: [script_failure], exit_codes: [4] }, interruptible: true }
bare: { stage: build, inherit: { default: false, variables: false }, script: make, variables: { GIT_STRATEGY: none, GIT_DEPTH: "0" } }
later: { stage: test, needs: [archive, { job: reports, artifacts: false }], script: make }
`;

let project: Project;
let runner: HandRunner;
/** By name; they have all ended. */
const jobs: Record<string, TakenJob> = {};
const variable = (job: TakenJob, name: string) => job.variables.filter(({ key }: { key: string }) => key === name);
const valuesOf = (job: TakenJob, ...names: string[]) =>
  names.map((name) => variable(job, name).map(({ value }: { value: string }) => value));

beforeAll(async () => {
  project = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
  runner = await flagfall.newRunner();
  for (const more of [
    { key: 'CERTIFICATE', value: 'of\nmany lines', variable_type: 'file' },
    { key: 'PASSWORD', value: 'as$it=is+12', masked: true, raw: true },
    { key: 'MADE_OF_OTHERS', value: '$PASSWORD for $CI_JOB_NAME in $CI_PROJECT_DIR' },
  ])
    await project.post('/variables', more);
  const { id } = await project.trigger('main', { SENT: 'at $TAG' });
  await project.jobIs(id, 'delayed', 'pending');
  await project.order(id, 'stop', 'play', { job_variables_attributes: [{ key: 'PLAYED', value: 'by hand' }] });
  for (let answer = await runner.request(); answer.status === 201; answer = await runner.request()) {
    const job = answer.body;
    jobs[job.job_info.name] = job;
    await runner.put(job, { state: 'running', output: {} });
    if (job.job_info.name === 'archive') await upload(job);
    await runner.end(job, 'success');
  }
}, 60_000);

async function upload(job: TakenJob): Promise<void> {
  const form = new FormData();
  form.append('file', new Blob(['bytes']), 'archive.zip');
  const { status } = await fetch(`${flagfall.url}/api/v4/jobs/${job.id}/artifacts`, {
    method: 'POST',
    headers: { 'JOB-TOKEN': job.token },
    body: form,
  });
  expect(status).toBe(201);
}

it('every kind decodes', () => {
  expect(Object.keys(jobs).sort()).toEqual([
    'archive', 'bare', 'caches', 'delayed', 'environment', 'forgiving', 'images', 'later', 'matrix: [left, 1]', 'matrix: [right, 1]',
    'plain', 'reports', 'scripts', 'stop',
  ]); // prettier-ignore
  for (const job of Object.values(jobs)) expect(undecodable(job)).toEqual([]);
});

it('scripts are flat lists, in two steps that have the job’s time', () => {
  expect(jobs['scripts'].steps).toEqual([
    { name: 'script', script: ['one', 'two', 'three', 'four\nfive'], timeout: 5400, when: 'on_success', allow_failure: false },
    { name: 'after_script', script: ['six', 'seven'], timeout: 5400, when: 'always', allow_failure: true },
  ]); // prettier-ignore
  expect(jobs['scripts'].runner_info).toEqual({ timeout: 5400 });
  expect(jobs['plain'].steps).toHaveLength(1);
  expect(jobs['plain'].hooks).toEqual([{ name: 'pre_get_sources_script', script: ['echo hook'] }]);
  expect(jobs['bare']).not.toHaveProperty('hooks');
});

it('images and services have lists where runners decode lists, and texts where they decode texts', () => {
  expect(jobs['plain'].image).toEqual({ name: 'alpine:$TAG', entrypoint: ['/bin/sh', '-c'] });
  expect(jobs['bare']).not.toHaveProperty('image');
  expect(jobs['images'].image).toEqual({
    name: 'node',
    entrypoint: [''],
    pull_policy: ['always', 'never'],
    executor_opts: { docker: { user: '1000', platform: 'linux/arm64' }, kubernetes: { user: '10:20' } },
  });
  expect(jobs['images'].services).toEqual([
    { name: 'postgres:16', variables: [] },
    {
      name: 'redis:$TAG',
      alias: 'cache,other',
      command: ['serve', '--all'],
      entrypoint: ['/bin/e'],
      pull_policy: ['if-not-present'],
      executor_opts: { docker: { user: '0' } },
      variables: [
        { key: 'PW', value: 'x' },
        { key: 'N', value: '5' },
      ],
    },
  ]);
});

it('caches have keys, which runners expand', () => {
  expect(jobs['caches'].cache).toEqual([
    { key: '$CI_COMMIT_REF_SLUG-non_protected', untracked: false, paths: ['a/'], policy: 'pull', when: 'always', fallback_keys: ['f1-non_protected', 'f$TAG-non_protected'] },
    { key: 'default-non_protected', untracked: true, paths: ['b/'], policy: '$POLICY', when: 'on_success', fallback_keys: [] },
  ]); // prettier-ignore
  expect(jobs['plain'].cache).toEqual([]);
});

it('artifacts and all reports come in the format that GitLab wants of each', () => {
  expect(jobs['archive'].artifacts).toEqual([
    {
      name: '$CI_JOB_NAME',
      untracked: true,
      paths: ['$CI_JOB_NAME/x'],
      exclude: ['a/**'],
      when: 'always',
      expire_in: 'never',
      artifact_type: 'archive',
      artifact_format: 'zip',
    },
  ]);
  const formats = Object.fromEntries(
    jobs['reports'].artifacts.map(({ artifact_type: type, artifact_format: format, when }: Record<string, string>) => [
      type,
      `${format} ${when}`,
    ]),
  );
  const packed = ['junit', 'dotenv', 'metrics', 'cyclonedx', 'cobertura'];
  expect(formats).toEqual({
    ...Object.fromEntries(packed.map((type) => [type, 'gzip always'])),
    ...Object.fromEntries(scanners.map((type) => [type, 'raw always'])),
  });
  expect(jobs['later'].dependencies).toEqual([
    {
      id: jobs['archive'].id,
      name: 'archive',
      token: jobs['later'].token,
      artifacts_file: { filename: 'archive.zip', size: 5 },
    },
  ]);
});

it('variables are told what to do with: expand, write to a file, hide', () => {
  const { plain } = jobs;
  expect(['LITERAL', 'CERTIFICATE', 'PASSWORD', 'MADE_OF_OTHERS', 'SENT', 'CI_JOB_TOKEN'].map((name) => variable(plain, name))).toEqual([
    [{ key: 'LITERAL', value: '5$ of $TAG', public: true, masked: false, raw: true }],
    [{ key: 'CERTIFICATE', value: 'of\nmany lines', public: false, masked: false, file: true }],
    [{ key: 'PASSWORD', value: 'as$it=is+12', public: false, masked: true, raw: true }],
    [{ key: 'MADE_OF_OTHERS', value: '$PASSWORD for plain in $CI_PROJECT_DIR', public: false, masked: false }],
    [{ key: 'SENT', value: 'at 3.20', public: false, masked: false }],
    [{ key: 'CI_JOB_TOKEN', value: plain.token, public: false, masked: true }],
  ]); // prettier-ignore
  // A later entry would win; there is only one of each.
  const keys = plain.variables.map(({ key }: { key: string }) => key);
  expect(new Set(keys).size).toBe(keys.length);
});

it('each kind knows what it is', () => {
  expect(valuesOf(jobs['matrix: [right, 1]'], 'SIDE', 'SIZE', 'CI_NODE_INDEX', 'CI_NODE_TOTAL')).toEqual([
    ['right'],
    ['1'],
    ['2'],
    ['2'],
  ]);
  expect(valuesOf(jobs['stop'], 'PLAYED', 'CI_JOB_MANUAL', 'CI_ENVIRONMENT_NAME', 'CI_ENVIRONMENT_ACTION')).toEqual([
    ['by hand'],
    ['true'],
    ['review/main'],
    ['stop'],
  ]);
  expect(valuesOf(jobs['environment'], 'CI_ENVIRONMENT_URL')[0]![0]).toMatch(/^https:\/\/review-main-\w+\.example$/);
  expect(valuesOf(jobs['bare'], 'TAG', 'GIT_STRATEGY')).toEqual([[], ['none']]);
  expect(jobs['bare'].git_info).toMatchObject({
    depth: 0,
    refspecs: expect.arrayContaining(['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*']) as string[],
  });
});
