// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type EventStream, openEventStream } from '../../../gateway/src/testing/event-stream.js';
import { type Person, startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { HandRunner } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({ name: 'live', gateways: 2 });
let ada: Person;
let project: Project;
let trigger: Trigger;
let runner: HandRunner;
let opened: EventStream[];

beforeAll(async () => {
  ada = await flagfall.newUser('ada');
  project = await flagfall.newProject({
    files: { '.gitlab-ci.yml': 'first: { script: [one], stage: build }\nlast: { script: [two], stage: test }' },
  });
  await flagfall.join(project, ada, 20);
  trigger = await flagfall.newTrigger(project);
  runner = await flagfall.newRunner({ project });
});
beforeEach(() => {
  opened = [];
});
afterEach(() => {
  for (const stream of opened) stream.close();
});

/** A page of somebody who is signed in. */
async function watch(replica: number, headers: Record<string, string> = {}, person = ada): Promise<EventStream> {
  const signedIn = await flagfall.call({ method: 'POST', path: '//-/session', json: { access_token: person.token } });
  const Cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
  const url = `${flagfall.installation.urls[replica]}/-/projects/${encodeURIComponent(project.path)}/live`;
  const stream = await openEventStream(url, { Cookie, ...headers });
  opened.push(stream);
  expect(stream.status).toBe(200);
  return stream;
}

const event = (kind: string, data: object) => `event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;

test('a page at any replica sees a triggered pipeline come, run and finish', async () => {
  const pages = await Promise.all([watch(0), watch(1)]);
  const { id, status } = await flagfall.trigger(trigger);
  const see = (kind: string, data: object) => Promise.all(pages.map((page) => page.reads(event(kind, data))));
  await see('pipeline', { id, status });
  const first = await runner.start();
  await see('job', { id: first.id, pipeline_id: id, status: 'running' });
  await see('pipeline', { id, status: 'running' });
  await runner.end(first, 'success');
  await see('job', { id: first.id, pipeline_id: id, status: 'success' });
  const last = await runner.start();
  await runner.end(last, 'failed');
  await see('job', { id: last.id, pipeline_id: id, status: 'failed' });
  await see('pipeline', { id, status: 'failed' });
  for (const { text } of pages) {
    const statuses = [...text.matchAll(/^event: pipeline\ndata: .*"status":"(\w+)"/gm)].map(([, status]) => status);
    expect(statuses).toEqual([...new Set(statuses)]);
    expect(statuses.at(-1)).toBe('failed');
  }
});

test('a pipeline that fails as it is created is told as what it is', async () => {
  const broken = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'job: { script: [one], stage: nowhere }' } });
  const url = `${flagfall.url}/-/projects/${broken.id}/live`;
  const page = await openEventStream(url, { 'PRIVATE-TOKEN': flagfall.rootToken });
  opened.push(page);
  const { token } = await flagfall.newTrigger(broken);
  const form = [
    ['token', token],
    ['ref', 'main'],
  ] as const;
  const path = `/projects/${broken.id}/trigger/pipeline`;
  expect((await flagfall.call({ method: 'POST', path, form })).status).toBe(422);
  const [pipeline] = await broken.pipelines();
  expect(pipeline.status).toBe('failed');
  await page.reads(event('pipeline', { id: pipeline.id, status: 'failed' }));
});

test('a page whose stream broke goes on at the same replica, and reads again at another', async () => {
  const before = await watch(0);
  const { id } = await flagfall.trigger(trigger);
  await before.reads(`"id":${id}`);
  const { place } = before;
  before.close();
  const job = await runner.start();
  await runner.end(job, 'success');
  await project.jobIs(id, 'first', 'success');
  const [same, other] = await Promise.all([0, 1].map((replica) => watch(replica, { 'Last-Event-ID': place })));
  await same?.reads(event('job', { id: job.id, pipeline_id: id, status: 'success' }));
  expect(same?.text).not.toContain('reset');
  expect(await other?.reads('event: reset')).not.toContain(`"id":${job.id}`);
  await runner.end(await runner.start(), 'success');
});

test('nobody watches longer than they may', async () => {
  const grace = await flagfall.newUser('grace');
  await flagfall.join(project, grace, 20);
  const [kept, removed] = [await watch(0), await watch(1, {}, grace)];
  await flagfall.root({ method: 'DELETE', path: `/projects/${project.id}/members/${grace.id}` });
  await until('the stream to end', () => removed.ended);
  expect(kept.ended).toBe(false);
});

test('a gateway that stops ends its streams, and does not wait for them', async () => {
  const [page, other] = [await watch(1), await watch(0)];
  const gateway = flagfall.installation.gateways[1];
  await gateway?.end('SIGTERM', 20_000);
  await until('the stream to end', () => page.ended);
  expect(other.ended).toBe(false);
  await gateway?.start();
  const back = await watch(1, { 'Last-Event-ID': page.place });
  await back.reads('event: reset');
});
