import { PipelineTriggered, TriggerOutcome, workQueues } from '#libs/contracts';
import { presentParkedMessage } from './parked-message.response.js';

const parked = (type: string, data: unknown) =>
  presentParkedMessage({
    id: '1',
    queue: `pipeline-service.${type}`,
    reason: 'failed',
    parkedAt: '2026-01-01T00:00:00.000Z',
    messages: [{ id: '1', type, source: '/gateway', time: '2026-01-01T00:00:00.000Z', data }],
  }).events[0]?.data;

it('shows of a trigger what it is about, and neither what its caller sent nor anybody’s address', () => {
  const shown = {
    requestId: '1',
    projectId: 2,
    ref: 'main',
    source: 'trigger',
    channel: 'api',
    trigger: { id: 3, shortToken: 'abcd' },
    upstream: null,
    receivedAt: '2026-01-01T00:00:00.000Z',
  };
  const actor = { id: 4, username: 'ada' };
  const data = {
    ...shown,
    replyTo: 'secret',
    actor: { ...actor, name: 'secret', email: 'secret@example.com', admin: true },
    variables: [['KEY', 'secret']],
    payload: 'secret',
    inputs: { key: 'secret' },
    addedLater: 'secret',
  };
  expect(parked(PipelineTriggered.type, data)).toEqual({ ...shown, actor });
});

it('shows of an outcome its status and not its words, which may quote the caller', () => {
  const refusal = { status: 422, body: { message: { base: ['Duplicate variable name: secret'] } } };
  expect(parked(TriggerOutcome.type, { requestId: '1', refusal })).toEqual({
    requestId: '1',
    refusal: { status: 422 },
  });
});

it.each([
  ['a list', [['secret']], {}],
  ['text', 'secret', {}],
  ['null', null, {}],
  ['text in place of an object', { actor: 'secret', projectId: 1 }, { actor: {}, projectId: 1 }],
])('shows nothing of %s, which no message is', (_, data, shown) => {
  expect(parked(PipelineTriggered.type, data)).toEqual(shown);
});

it('shows nothing of an unknown kind, and something of each that is kept in a queue', () => {
  expect(parked('constructor', { a: 1 })).toEqual({});
  for (const queue of workQueues) {
    const type = queue.slice(queue.indexOf('.') + 1);
    const data = { requestId: 1, projectId: 2, userId: 3, pipelineId: 4, jobId: 5, storageKeys: ['x'] };
    expect(parked(type, data)).not.toEqual({});
  }
});
