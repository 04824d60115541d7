// needs: rabbitmq, postgresql
import { type Person, startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({ name: 'includes' });
/** `<templates>` is private; its branch `next` and its tag `v1` hold other jobs than `main`. */
let templates: Project;
let app: Project;
const people: Record<string, Person> = {};
const triggers: Record<string, Trigger> = {};

beforeAll(async () => {
  const jobs = (name: string) => ({ 'ci/jobs.yml': `include: ci/more.yml\n${name}: {script: [make]}\n` });
  const more = { 'ci/more.yml': '.base: {script: [make]}\nfrom_their_repository: {extends: .base}\n' };
  templates = await flagfall.newProject({
    path: 'templates',
    files: { ...jobs('tagged'), ...more },
    visibility: 'private',
  });
  const { repository } = templates;
  await repository.git('tag', 'v1');
  await repository.commit(jobs('first'));
  await repository.git('checkout', '--quiet', '-b', 'next');
  await repository.commit(jobs('coming'));
  await repository.git('checkout', '--quiet', 'main');
  const tagged = await repository.git('rev-parse', 'v1');

  app = await flagfall.newProject({ files: { 'ci/more.yml': 'from_our_repository: {script: [make]}\n' } });
  const include = (project: string, more: object) =>
    JSON.stringify({ include: { project, file: '/ci/jobs.yml', ...more } });
  const branches: Record<string, string> = {
    default: include('group/templates', {}),
    cased: include('Group/Templates', {}),
    branch: include('group/templates', { ref: 'next' }),
    tag: include('group/$WHERE', { ref: 'v1' }),
    commit: include('group/templates', { ref: tagged }),
    nowhere: include('group/nowhere', {}),
    'no-ref': include('group/templates', { ref: 'gone' }),
    'no-commit': include('group/templates', { ref: '0123456789'.repeat(4) }),
    'no-file': include('group/templates', { file: 'gone.yml' }),
    'looks-there': JSON.stringify({
      here: { script: ['make'] },
      there: { script: ['make'], rules: [{ exists: { paths: ['ci/jobs.yml'], project: '$THERE', ref: 'v1' } }] },
      nowhere: { script: ['make'], rules: [{ exists: { paths: ['ci/gone.yml'], project: '$THERE' } }] },
    }),
  };
  for (const [branch, config] of Object.entries(branches)) {
    await app.repository.git('checkout', '--quiet', '-b', branch, 'main');
    await app.repository.commit({ '.gitlab-ci.yml': config });
  }
  for (const [name, level] of Object.entries({ reporter: 20, guest: 10, stranger: 0 })) {
    const person = (people[name] = await flagfall.newUser(name));
    await flagfall.join(app, person, 40);
    if (level > 0) await flagfall.join(templates, person, level);
    triggers[name] = await flagfall.newTrigger(app, person);
  }
});

const trigger = (who: string, ref: string, variables: Record<string, string> = {}) =>
  flagfall.call({
    method: 'POST',
    path: `/projects/${app.id}/trigger/pipeline`,
    json: { token: triggers[who]?.token, ref, variables },
  });
const jobsOf = async (answer: ReturnType<typeof trigger>) => {
  const { status, body } = await answer;
  expect({ status, body }).toMatchObject({ status: 201 });
  return Object.keys(await app.jobs(body.id)).sort();
};
const refused = async (answer: ReturnType<typeof trigger>) => {
  const { status, body } = await answer;
  expect({ status, body }).toMatchObject({ status: 422 });
  return body.message.base[0];
};
const closed = (project: string) =>
  `Project \`${project}\` not found or access denied! Make sure any includes in the pipeline configuration are correctly defined.`;

describe('include:project', () => {
  it('takes files of another project, with those that they include there', async () => {
    expect(await jobsOf(trigger('reporter', 'default'))).toEqual(['first', 'from_their_repository']);
    expect(await jobsOf(trigger('reporter', 'cased'))).toEqual(['first', 'from_their_repository']);
  });

  it.each([
    ['branch', 'coming'],
    ['tag', 'tagged'],
    ['commit', 'tagged'],
  ])('at a %s', async (ref, job) => {
    expect(await jobsOf(trigger('reporter', ref, { WHERE: 'templates' }))).toContain(job);
  });

  it('gives nothing to whoever may not read the project, as if it were not there', async () => {
    expect(await refused(trigger('stranger', 'default'))).toBe(closed('group/templates'));
    expect(await refused(trigger('guest', 'default'))).toBe(closed('group/templates'));
    expect(await refused(trigger('reporter', 'nowhere'))).toBe(closed('group/nowhere'));
    expect(await jobsOf(trigger('reporter', 'default'))).toContain('first');
    expect(await refused(trigger('stranger', 'default'))).toBe(closed('group/templates'));
  });

  it('follows the other project: its default branch, its visibility, its members', async () => {
    await templates.repository.commit({ 'ci/jobs.yml': 'second: {script: [make]}\n' });
    expect(await jobsOf(trigger('reporter', 'default'))).toEqual(['second']);
    const edit = (json: object) => flagfall.root({ method: 'PUT', path: `/projects/${templates.id}`, json });
    await edit({ visibility: 'internal' });
    expect(await jobsOf(trigger('stranger', 'default'))).toEqual(['second']);
    await edit({ visibility: 'private' });
    expect(await refused(trigger('stranger', 'default'))).toBe(closed('group/templates'));
    const member = `/projects/${templates.id}/members/${people['reporter']?.id}`;
    await flagfall.root({ method: 'DELETE', path: member });
    expect(await refused(trigger('reporter', 'default'))).toBe(closed('group/templates'));
    await flagfall.join(templates, people['reporter'] as Person, 20);
  });

  it.each([
    ['no-ref', 'Project `group/templates` reference `gone` does not exist!'],
    ['no-commit', `Project \`group/templates\` reference \`${'0123456789'.repeat(4)}\` does not exist!`],
    ['no-file', 'Project `group/templates` file `gone.yml` does not exist!'],
  ])('says that there is %s', async (ref, message) => {
    expect(await refused(trigger('reporter', ref))).toBe(message);
  });

  it('is looked into by rules:exists:project too, as far as the user may read it', async () => {
    const look = (who: string, THERE = 'group/templates') => trigger(who, 'looks-there', { THERE });
    const noProject = (path: string) =>
      `Failed to parse rule for there: rules:exists:project \`${path}\` is not a valid project path`;
    expect(await jobsOf(look('reporter'))).toEqual(['here', 'there']);
    expect(await refused(look('stranger'))).toBe(noProject('group/templates'));
    expect(await refused(look('reporter', 'group/nowhere'))).toBe(noProject('group/nowhere'));
  });

  it('is checked by CI Lint as whoever asks', async () => {
    const lint = async (who: string) =>
      flagfall.must({ path: `/projects/${app.id}/ci/lint?content_ref=branch`, token: people[who]?.token });
    expect(await lint('reporter')).toMatchObject({ valid: true, merged_yaml: expect.stringContaining('coming:') });
    expect(await lint('stranger')).toMatchObject({
      valid: false,
      errors: [expect.stringContaining('not found or access denied')],
      merged_yaml: null,
    });
  });
});
