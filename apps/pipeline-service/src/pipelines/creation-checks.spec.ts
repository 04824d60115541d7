import type { Actor } from '#libs/contracts';
import { checkProjectAndActor, checkProtectedRef, checkVariableNames, checkVariables } from './creation-checks.js';
import type { PipelineOrder } from './pipeline-order.js';

const project = {
  state: 'active' as const,
  archived: false,
  buildsAccessLevel: 'enabled',
  variablesMinimumRole: 'developer',
};
const developer: Actor = {
  id: 1,
  username: 'ada',
  name: 'Ada',
  state: 'active',
  admin: false,
  createdAt: '2026-01-01T00:00:00.000Z',
  accessLevel: 30,
};
const payload = { key: 'TRIGGER_PAYLOAD', value: '{}', type: 'file' as const };
const order = (changes: Partial<PipelineOrder> = {}): PipelineOrder => ({
  requestId: '01a2b3c4-0000-7000-8000-000000000000',
  projectId: 9,
  ref: 'main',
  source: 'trigger',
  channel: 'api',
  trigger: { id: 1, shortToken: 'abcd' },
  upstream: null,
  actor: developer,
  variables: [payload],
  receivedAt: '2026-01-07T09:53:58.235Z',
  ...changes,
});

describe('before the ref is looked at', () => {
  it.each([
    ['a project that is being deleted', { ...project, state: 'deleting' as const }, developer, 'Project is deleted!'],
    ['CI/CD switched off', { ...project, buildsAccessLevel: 'disabled' }, developer, 'Pipelines are disabled!'],
    ['a Reporter', project, { ...developer, accessLevel: 20 }, 'Insufficient permissions to create a new pipeline'],
    [
      'somebody who left',
      project,
      { ...developer, accessLevel: 0 },
      'Insufficient permissions to create a new pipeline',
    ],
    [
      'a blocked owner',
      project,
      { ...developer, state: 'blocked' as const },
      'Insufficient permissions to create a new pipeline',
    ],
    [
      'an archived project',
      { ...project, archived: true },
      developer,
      'Insufficient permissions to create a new pipeline',
    ],
  ])('%s is refused', (_, checked, actor, message) => {
    expect(checkProjectAndActor(checked, order({ actor }))).toEqual({ status: 400, message });
  });

  it('a Developer may', () => {
    expect(checkProjectAndActor(project, order())).toBeNull();
  });
});

describe('a protected ref', () => {
  it('is refused by its name', () => {
    expect(checkProtectedRef('main', false)?.message).toBe(
      "You do not have sufficient permission to run a pipeline on 'main'. Please select a different branch or contact your administrator for assistance. Learn more",
    );
    expect(checkProtectedRef('main', true)).toBeNull();
  });
});

describe('variables', () => {
  it.each([
    ['no_one_allowed', 50],
    ['maintainer', 30],
    ['owner', 40],
  ])('are refused below %s, even the payload alone', (variablesMinimumRole, accessLevel) => {
    const refused = checkVariables(
      { ...project, variablesMinimumRole },
      order({ actor: { ...developer, accessLevel } }),
    );
    expect(refused).toEqual({ status: 400, message: 'Insufficient permissions to set pipeline variables' });
  });

  it('that come twice leave a failed pipeline', () => {
    const twice = { key: 'TRIGGER_PAYLOAD', value: 'x', type: 'env_var' as const };
    expect(checkVariables(project, order({ variables: [twice, payload] }))).toMatchObject({
      status: 422,
      message: 'Duplicate variable name: TRIGGER_PAYLOAD',
      failed: { yamlErrors: 'Duplicate variable name: TRIGGER_PAYLOAD' },
    });
    const a = { key: 'A', value: '1', type: 'env_var' as const };
    expect(checkVariables(project, order({ variables: [a, a, twice, payload] }))?.message).toBe(
      'Duplicate variable names: A, TRIGGER_PAYLOAD',
    );
  });

  it.each(['a-b', '', 'ü', 'A B', 'A'.repeat(256)])('named %j are refused', (key) => {
    expect(checkVariableNames(order({ variables: [{ key, value: '', type: 'env_var' }, payload] }))).toEqual({
      status: 400,
      message: 'Failed to build the pipeline!',
    });
  });

  it('with an empty value are fine', () => {
    const fine = order({ variables: [{ key: 'A_1', value: '', type: 'env_var' }, payload] });
    expect([checkVariables(project, fine), checkVariableNames(fine)]).toEqual([null, null]);
  });
});
