import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { load } from 'js-yaml';
import { asyncApi } from './asyncapi.js';
import { ArtifactsRemoved } from './artifact.js';
import { eventClasses, messageProblems, requestClasses } from './messages.js';
import { EditSettings } from './settings.js';
import { PipelineTriggered } from './trigger-request.js';
import { UserChanged } from './user-requests.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
// oxlint-disable-next-line typescript/no-explicit-any -- a document is what it says
type Document = any;
let document: Document;

beforeAll(async () => {
  document = load(await readFile(join(root, 'docs/asyncapi.yaml'), 'utf8'));
});

it('describes the messages as they are; `npm run asyncapi` writes it anew', async () => {
  const directory = join(root, 'libs/contracts/src');
  const files = (await readdir(directory)).filter((file) => !file.includes('.spec.')).sort();
  const sources = await Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')));
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  expect(document).toEqual(JSON.parse(JSON.stringify(asyncApi(sources, version))));
});

it('has every message, and points nowhere that is not there', () => {
  const names = [...eventClasses.map(({ type }) => type), ...requestClasses.map(({ pattern }) => pattern)];
  expect(Object.keys(document.channels).sort()).toEqual(names.sort());
  const pointers = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
  expect(pointers.length).toBeGreaterThan(names.length);
  for (const path of pointers) {
    const found = path
      .split('/')
      .reduce((node: Document, name) => node?.[name.replaceAll('~1', '/').replaceAll('~0', '~')], document);
    expect([path, typeof found]).toEqual([path, 'object']);
  }
  for (const { description } of Object.values<Document>(document.components.messages).filter(({ name }) =>
    /\.v\d+$/.test(name),
  ))
    expect(description).toEqual(expect.stringMatching(/\w+ \w+/));
});

const actor = {
  id: 1,
  username: 'ada',
  name: 'Ada',
  email: null,
  state: 'active',
  admin: false,
  createdAt: '',
  accessLevel: 40,
};
const triggered = {
  requestId: '01a2b3c4-0000-7000-8000-000000000000',
  replyTo: 'gateway-1',
  projectId: 9,
  ref: 'main',
  source: 'trigger',
  channel: 'api',
  trigger: { id: 3, shortToken: 'abcd' },
  upstream: null,
  actor,
  variables: [['A', '1']],
  payload: '{}',
  receivedAt: '2026-01-07T09:53:58.235Z',
};
const changed = { userId: 1, username: 'ada', name: 'Ada', state: 'active', admin: false, createdAt: '2026-01-01' };

it.each<[string, { name: string }, string, object]>([
  ['a sound message', PipelineTriggered, PipelineTriggered.type, triggered],
  ['one without what may be left out', PipelineTriggered, PipelineTriggered.type, { ...triggered, trigger: undefined }],
  ['a missing field', PipelineTriggered, PipelineTriggered.type, { ...triggered, ref: undefined }],
  ['a wrong type', PipelineTriggered, PipelineTriggered.type, { ...triggered, projectId: '9' }],
  ['a wrong id', PipelineTriggered, PipelineTriggered.type, { ...triggered, requestId: '9' }],
  ['a word that is none', PipelineTriggered, PipelineTriggered.type, { ...triggered, source: 'push' }],
  ['a nested message that is none', PipelineTriggered, PipelineTriggered.type, { ...triggered, actor: 'ada' }],
  [
    'a fault in a nested one',
    PipelineTriggered,
    PipelineTriggered.type,
    { ...triggered, actor: { ...actor, id: 'x' } },
  ],
  ['a list', ArtifactsRemoved, ArtifactsRemoved.type, { storageKeys: ['a'] }],
  ['a fault in a list', ArtifactsRemoved, ArtifactsRemoved.type, { storageKeys: [1] }],
  ['null where it may be', UserChanged, UserChanged.type, { ...changed, email: null }],
  ['null where it may not', UserChanged, UserChanged.type, { ...changed, name: null }],
  ['a number in its bounds', EditSettings, EditSettings.pattern, { projectJobsApiRateLimit: 0 }],
  ['a number below them', EditSettings, EditSettings.pattern, { projectJobsApiRateLimit: -1 }],
])('judges %s as the services do', (_, { name }, key, data) => {
  const ajv = new Ajv({ strict: false });
  addFormats.default(ajv);
  ajv.addSchema({ $id: 'document', components: document.components });
  const isValid = ajv.compile({ $ref: `document#/components/schemas/${name}` });
  const plain: unknown = JSON.parse(JSON.stringify(data));
  expect(isValid(plain)).toBe(messageProblems(key, plain).length === 0);
});
