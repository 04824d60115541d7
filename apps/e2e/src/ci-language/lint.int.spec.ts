// needs: rabbitmq, postgresql
import { startsFlagfall } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({ name: 'lint' });
let app: Project;
let sha: string;

beforeAll(async () => {
  await flagfall.newProject({ path: 'templates', files: { 'base.yml': '.base: { script: [make] }' } });
  app = await flagfall.newProject({
    files: {
      'ci/tests.yml': 'unit: { extends: .base, stage: test }\n',
      '.gitlab-ci.yml': `
include: [{ project: group/templates, file: base.yml, ref: main }, ci/tests.yml]
release:
  script: [make release]
  rules: [{ if: $CI_COMMIT_TAG }, { if: $NEVER, when: never }]
nightly: { script: [make nightly], only: [schedules] }
docs: { script: [make docs], rules: [{ if: $CI_PIPELINE_SOURCE == "push", when: never }] }
quick: { script: [make quick], except: [main] }
`,
    },
  });
  sha = await app.repository.git('rev-parse', 'main');
});

const lint = (json: object) => app.post('/ci/lint', json);

describe('CI Lint', () => {
  it('tells all that is wrong at once, each with its path and line', async () => {
    const content = `build:
  script: make
  when: sometimes
test:
  script: []
  retry: 9
`;
    const answer = await lint({ content });
    const messages = [
      'jobs:build when should be one of: on_success, on_failure, always, manual, delayed',
      'jobs:test:retry config must be less than or equal to 2',
      "jobs:test script can't be blank",
    ];
    expect(answer.problems).toEqual([
      { message: messages[0], path: 'build.when', line: 3, file: null },
      { message: messages[1], path: 'test.retry', line: 6, file: null },
      { message: messages[2], path: 'test.script', line: 5, file: null },
    ]);
    const errors = [`${messages[0]} (line 3)`, `${messages[1]} (line 6)`, `${messages[2]} (line 5)`];
    expect(answer).toMatchObject({ valid: false, errors });
  });

  it('names the included file in which a problem lies', async () => {
    await app.repository.git('checkout', '--quiet', '-b', 'wrong', 'main');
    await app.repository.commit({ 'ci/tests.yml': '\nunit:\n  script: [make]\n  when: sometimes\n' });
    await app.repository.git('checkout', '--quiet', 'main');
    expect(await app.get('/ci/lint?content_ref=wrong')).toMatchObject({
      valid: false,
      problems: [{ path: 'unit.when', line: 4, file: 'ci/tests.yml' }],
    });
  });

  it('shows what was included, and the file with everything in its place', async () => {
    const answer = await app.get('/ci/lint?include_jobs=true');
    const context = { blob: null, raw: null, context_project: app.path, context_sha: sha };
    expect(answer.includes).toEqual([
      { type: 'file', location: 'base.yml', extra: { project: 'group/templates', ref: 'main' }, ...context },
      { type: 'local', location: 'ci/tests.yml', extra: {}, ...context },
    ]);
    expect(answer.merged_yaml).toContain('unit:\n  script:\n    - make\n');
    expect(answer).not.toHaveProperty('problems');
    const kept = answer.jobs.map(({ name, only, except }: Record<string, unknown>) => [name, only, except]);
    expect(kept).toEqual([
      ['unit', { refs: ['branches', 'tags'] }, null],
      ['release', null, null],
      ['nightly', { refs: ['schedules'] }, null],
      ['docs', null, null],
      ['quick', { refs: ['branches', 'tags'] }, { refs: ['main'] }],
    ]);
  });

  it('tells in a dry run which jobs there would be, and which rule leaves others out', async () => {
    const answer = await app.get('/ci/lint?dry_run=true&include_jobs=true');
    expect(answer.valid).toBe(true);
    expect(answer.jobs.map(({ name }: { name: string }) => name)).toEqual(['unit']);
    expect(answer.jobs_left_out).toEqual([
      { name: 'release', rule: 'rules: none matched' },
      { name: 'nightly', rule: 'only: refs' },
      { name: 'docs', rule: 'rules: if: $CI_PIPELINE_SOURCE == "push", when: never' },
      { name: 'quick', rule: 'except: refs' },
    ]);
  });

  it('warns', async () => {
    const { warnings, valid } = await lint({ content: 'a: { script: x, rules: [{ when: always }] }' });
    expect(valid).toBe(true);
    expect(warnings).toEqual([expect.stringContaining('jobs:a may allow multiple pipelines to run')]);
  });
});

describe('rules:changes:compare_to', () => {
  const rule = (compareTo: string) => `
docs: { script: [make], rules: [{ changes: { paths: ['docs/**/*'], compare_to: ${compareTo} } }] }
code: { script: [make], rules: [{ changes: { paths: ['src/*'], compare_to: ${compareTo} } }] }
`;

  beforeAll(async () => {
    await app.repository.git('checkout', '--quiet', '-b', 'compares', 'main');
    await app.repository.commit({ '.gitlab-ci.yml': rule('$BASE'), 'docs/a/b.md': 'new' });
    await app.repository.git('checkout', '--quiet', 'main');
    // What happens there afterwards is no change of the branch.
    await app.repository.commit({ 'src/main.c': 'new' });
  });

  it('looks at what changed since the branch parted from another one', async () => {
    const { id } = await app.trigger('compares', { BASE: 'main' });
    expect(Object.keys(await app.jobs(id))).toEqual(['docs']);
    const bySha = await app.trigger('compares', { BASE: sha });
    expect(Object.keys(await app.jobs(bySha.id))).toEqual(['docs']);
  });

  it.each(['gone', '0123456789'.repeat(4)])('refuses %s, which is no ref', async (base) => {
    const { token } = await flagfall.newTrigger(app);
    const call = { method: 'POST', path: `/projects/${app.id}/trigger/pipeline` };
    const answer = await flagfall.call({ ...call, json: { token, ref: 'compares', variables: { BASE: base } } });
    const message = 'Failed to parse rule for docs: rules:changes:compare_to is not a valid ref';
    expect([answer.status, answer.body]).toEqual([422, { message: { base: [message] } }]);
  });
});
