// needs: rabbitmq, postgresql
import { type Person, startsFlagfall } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({ name: 'run_form' });
let app: Project;
let developer: Person;
let reporter: Person;

const header = `
spec:
  inputs:
    target: { description: Where to, options: [staging, production] }
    copies: { type: number, default: 1 }
    version: { default: v1, regex: ^v }
---
`;
const config = `
include: ci/variables.yml
variables:
  QUIET: { value: a }
  COLOUR: { value: red, description: Of the flag, options: [red, blue] }
ship: { script: [make] }
`;
const fromInclude = { key: 'PLACE', value: 'roof', description: 'Of the pole', options: null };
const own = { key: 'COLOUR', value: 'red', description: 'Of the flag', options: ['red', 'blue'] };

beforeAll(async () => {
  app = await flagfall.newProject({
    visibility: 'public',
    files: {
      '.gitlab-ci.yml': config,
      'ci/variables.yml': 'variables: { PLACE: { value: roof, description: Of the pole } }',
    },
  });
  const branches = {
    required: `${header}${config}`,
    optional: `${header}${config}`.replace('options:', 'default: staging, options:'),
    broken: 'ship: { script: [make], stage: nowhere }\nkeel: { script: 1 }',
  };
  for (const [branch, content] of Object.entries(branches)) {
    await app.repository.git('checkout', '--quiet', '-b', branch, 'main');
    await app.repository.commit({ '.gitlab-ci.yml': content });
  }
  await app.repository.git('checkout', '--quiet', '-b', 'empty', 'main');
  await app.repository.git('rm', '--quiet', '.gitlab-ci.yml');
  await app.repository.commit({ 'README.md': '' });
  await app.repository.git('checkout', '--quiet', 'main');
  developer = await flagfall.newUser('developer');
  reporter = await flagfall.newUser('reporter');
  await flagfall.join(app, developer, 30);
  await flagfall.join(app, reporter, 20);
});

const form = (query: string, token: string | undefined = developer.token) =>
  flagfall.call({ path: `//-/projects/${app.id}/run_form${query}`, token });

it('asks for the variables that are described, those of included files too', async () => {
  const { status, body } = await form('?ref=main');
  expect([status, body]).toEqual([200, { inputs: [], variables: [fromInclude, own], problems: [] }]);
  expect((await form('')).body).toEqual(body);
});

const inputs = [
  {
    name: 'target',
    type: 'string',
    description: 'Where to',
    default: null,
    required: true,
    options: ['staging', 'production'],
    regex: null,
  },
  { name: 'copies', type: 'number', description: null, default: 1, required: false, options: null, regex: null },
  { name: 'version', type: 'string', description: null, default: 'v1', required: false, options: null, regex: '^v' },
];

it('asks for inputs, and for no more than the file itself tells while one of them is yet to be given', async () => {
  expect((await form('?ref=required')).body).toEqual({ inputs, variables: [own], problems: [] });
  const [target, ...others] = inputs;
  expect((await form('?ref=optional')).body).toEqual({
    inputs: [{ ...target, default: 'staging', required: false }, ...others],
    variables: [fromInclude, own],
    problems: [],
  });
});

it.each([
  ['broken', ['jobs:keel:script config should be a string or a nested array of strings up to 10 levels deep (line 2)']],
  ['empty', ['Missing CI config file']],
  ['gone', ['Reference not found']],
])('says why nothing can be run at %s', async (ref, problems) => {
  expect((await form(`?ref=${ref}`)).body).toEqual({ inputs: [], variables: [], problems });
});

it('creates nothing', async () => {
  expect(await app.pipelines()).toEqual([]);
});

it('is for those who may create pipelines', async () => {
  expect((await form('', reporter.token)).status).toBe(403);
  expect((await flagfall.call({ path: `//-/projects/${app.id}/run_form` })).status).toBe(401);
});
