import 'reflect-metadata';
import { messageProblems } from './messages.js';
import { PipelineTriggered } from './trigger-request.js';

const actor = {
  id: 1,
  username: 'ada',
  name: 'Ada',
  email: null,
  state: 'active',
  admin: false,
  createdAt: '2026-01-01T00:00:00.000Z',
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

describe('messageProblems', () => {
  it('finds nothing wrong with a sound message', () => {
    expect(messageProblems(PipelineTriggered.type, triggered)).toEqual([]);
  });

  it.each([
    ['a missing field', { ref: undefined }, 'ref'],
    ['a wrong type', { projectId: '9' }, 'projectId'],
    ['a word that is none', { source: 'push' }, 'source'],
    ['an optional field that is there and wrong', { trigger: { id: 'x', shortToken: 'abcd' } }, 'trigger'],
    ['a fault in a nested message', { actor: { ...actor, admin: 'yes' } }, 'actor'],
    ['a nested message that is none', { actor: 'ada' }, 'actor'],
  ])('names %s', (_, change, field) => {
    const problems = messageProblems(PipelineTriggered.type, { ...triggered, ...change });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(field);
  });

  it('refuses what it does not know, and what is no object', () => {
    expect(messageProblems('no.such.v1', {})).toEqual(['there is no message named no.such.v1']);
    expect(messageProblems(PipelineTriggered.type, [])).toHaveLength(1);
    expect(messageProblems(PipelineTriggered.type, null)).toHaveLength(1);
  });
});
