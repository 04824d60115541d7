// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall } from '../testing/flagfall.js';
import { HandRunner } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

/** Runners as those see them who run the installation or maintain a project (runner-api.md §1). */
const flagfall = startsFlagfall({ name: 'operators', environment: { REQUEST_HOLD_MS: '0' } });
let project: Project;
let other: Project;

beforeAll(async () => {
  const files = { '.gitlab-ci.yml': 'job: { script: [make] }' };
  [project, other] = [await flagfall.newProject({ files }), await flagfall.newProject({ files })];
});

const root = (method: string, path: string, json?: object) =>
  flagfall.call({ method, path, token: flagfall.rootToken, json });
const idsOf = async (path: string, token = flagfall.rootToken): Promise<number[]> =>
  (await flagfall.must({ path, token })).map(({ id }: { id: number }) => id);

describe('lists of runners', () => {
  let made: Record<'shared' | 'own' | 'paused' | 'heard', HandRunner>;

  beforeAll(async () => {
    made = {
      shared: await flagfall.newRunner({ tag_list: 'linux,gpu' }),
      own: await flagfall.newRunner({ project }),
      paused: await flagfall.newRunner({ paused: true }),
      heard: await flagfall.newRunner({ tag_list: 'linux', run_untagged: false }),
    };
    await made.heard.request();
  });

  it.each<[string, (keyof typeof made)[]]>([
    ['', ['heard', 'paused', 'own', 'shared']],
    ['type=project_type', ['own']],
    ['paused=true', ['paused']],
    ['paused=false&type=instance_type', ['heard', 'shared']],
    ['status=online', ['heard']],
    ['status=never_contacted', ['paused', 'own', 'shared']],
    ['status=stale', []],
    ['status=paused', ['paused']],
    ['tag_list=linux', ['heard', 'shared']],
    ['tag_list=gpu,linux', ['shared']],
    ['version_prefix=19.', ['heard']],
    ['version_prefix=18', []],
    ['scope=specific', ['own']],
  ])('with %s', async (query, expected) => {
    expect(await idsOf(`/runners/all?${query}`)).toEqual(expected.map((name) => made[name].id));
  });

  it('come in pages, and refuse what is no word of theirs', async () => {
    const { headers, body } = await root('GET', '/runners/all?per_page=3&page=2');
    expect(body).toHaveLength(1);
    expect([headers.get('x-total'), headers.get('x-page')]).toEqual(['4', '2']);
    for (const query of ['type=group', 'status=dead', 'scope=all'])
      expect((await root('GET', `/runners/all?${query}`)).status).toBe(400);
  });

  it('of a project hold its own ones and those for everybody', async () => {
    expect(await idsOf(`/projects/${project.id}/runners?type=project_type`)).toEqual([made.own.id]);
    expect(await idsOf(`/projects/${other.id}/runners?type=project_type`)).toEqual([]);
    expect(await idsOf(`/projects/${other.id}/runners?status=online`)).toEqual([made.heard.id]);
  });
});

it('the machines of a runner are told apart, and forgotten one by one', async () => {
  const runner = await flagfall.newRunner();
  const second = runner.machine('s_second');
  await runner.request();
  await project.trigger();
  const job = await second.start();
  const managers = `/runners/${runner.id}/managers`;
  const listed = await flagfall.root({ path: managers });
  expect(listed).toEqual([
    {
      id: expect.any(Number) as number,
      system_id: 's_second',
      version: '19.3.0',
      revision: '9cbf0074',
      platform: 'linux',
      architecture: 'amd64',
      created_at: expect.stringMatching(/Z$/) as string,
      contacted_at: expect.stringMatching(/Z$/) as string,
      ip_address: '127.0.0.1',
      status: 'online',
      job_execution_status: 'active',
    },
    expect.objectContaining({ system_id: 's_0123456789ab', job_execution_status: 'idle' }),
  ]);
  expect((await project.job(job)).runner_manager).toEqual(listed[0]);
  expect(await flagfall.root({ path: `/runners/${runner.id}` })).toMatchObject({
    version: '19.3.0',
    revision: '9cbf0074',
    platform: 'linux',
    architecture: 'amd64',
    job_execution_status: 'active',
    created_by: { username: 'root' },
  });
  await second.end(job, 'success');
  const forget = { method: 'DELETE', path: '/runners/managers', json: { token: runner.token, system_id: 's_second' } };
  expect((await flagfall.call(forget)).status).toBe(204);
  expect(await flagfall.root({ path: managers })).toHaveLength(1);
  expect((await project.job(job)).runner_manager).toBeNull();
});

it('the jobs of a runner are listed, those of projects one may read', async () => {
  const runner = await flagfall.newRunner({ project });
  await root('POST', `/projects/${other.id}/runners`, { runner_id: runner.id });
  await project.trigger();
  await other.trigger();
  const jobs = [await runner.start(), await runner.machine('s_second').start()];
  await runner.end(jobs[0], 'failed');
  const ids = jobs.map(({ id }) => id).sort((one, another) => one - another);
  const path = `/runners/${runner.id}/jobs`;
  const [latest] = await flagfall.root({ path });
  expect(latest.project).toEqual({
    ci_job_token_scope_enabled: false,
    id: other.id,
    name: other.path.split('/')[1],
    name_with_namespace: other.path.replace('/', ' / '),
    path: other.path.split('/')[1],
    path_with_namespace: other.path,
    description: null,
    created_at: expect.stringMatching(/Z$/) as string,
  });
  expect(await idsOf(path)).toEqual([...ids].reverse());
  expect(await idsOf(`${path}?sort=asc&order_by=id`)).toEqual(ids);
  expect(await idsOf(`${path}?status=failed`)).toEqual([jobs[0].id]);
  expect(await idsOf(`${path}?system_id=s_second`)).toEqual([jobs[1].id]);
  expect(await idsOf(`${path}?per_page=1&page=2`)).toEqual([ids[0]]);
  expect((await root('GET', `${path}?order_by=name`)).status).toBe(400);
  const maintainer = await flagfall.newUser('reader');
  expect((await flagfall.call({ path, token: maintainer.token })).status).toBe(403);
  await flagfall.join(project, maintainer, 40);
  expect(await idsOf(path, maintainer.token)).toEqual([jobs[0].id]);
  await runner.end(jobs[1], 'success');
});

describe('a project runner', () => {
  it('takes jobs of each project that it is given to', async () => {
    const runner = await flagfall.newRunner({ project });
    const path = `/projects/${other.id}/runners`;
    const given = await root('POST', path, { runner_id: runner.id });
    expect([given.status, given.body.id]).toEqual([201, runner.id]);
    expect((await root('POST', path, { runner_id: runner.id })).status).toBe(400);
    await other.trigger();
    await runner.end(await runner.start(), 'success');
    expect((await root('DELETE', `${path}/${runner.id}`)).status).toBe(204);
    expect((await root('DELETE', `${path}/${runner.id}`)).status).toBe(404);
    const last = await root('DELETE', `/projects/${project.id}/runners/${runner.id}`);
    expect(last).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining('Only one project') as string },
    });
  });

  it('whose projects are gone is told so, and may go on asking', async () => {
    const gone = await flagfall.newProject({});
    const runner = await flagfall.newRunner({ project: gone });
    expect((await runner.request()).status).toBe(204);
    await root('DELETE', `/projects/${gone.id}`);
    const json = { token: runner.token };
    const orphaned = { status: 422, body: { message: '422 Unprocessable Entity - Runner is orphaned' } };
    expect(
      await until('the project to be gone', async () => {
        const answer = await runner.request();
        return answer.status === 422 && answer;
      }),
    ).toMatchObject(orphaned);
    expect(await flagfall.call({ method: 'POST', path: '/runners/verify', json })).toMatchObject(orphaned);
    expect((await flagfall.call({ method: 'DELETE', path: '/runners', json })).status).toBe(204);
  });

  it('is paused in the words of former versions, too', async () => {
    const { id } = await flagfall.newRunner({ project, active: false });
    const paused = async () => (await flagfall.root({ path: `/runners/${id}` })).paused;
    expect(await paused()).toBe(true);
    await root('PUT', `/runners/${id}`, { active: true });
    expect(await paused()).toBe(false);
  });

  it('that is locked, of others or for everybody is not given away', async () => {
    const person = await flagfall.newUser('maintainer');
    await flagfall.join(project, person, 40);
    await flagfall.join(other, person, 40);
    const give = async ({ id }: HandRunner) => {
      const json = { runner_id: id };
      const path = `/projects/${other.id}/runners`;
      return (await flagfall.call({ method: 'POST', path, token: person.token, json })).status;
    };
    const foreign = await flagfall.newProject({});
    expect(await give(await flagfall.newRunner({ project, locked: true }))).toBe(403);
    expect(await give(await flagfall.newRunner({ project: foreign }))).toBe(403);
    expect(await give(await flagfall.newRunner())).toBe(403);
    const shared = await flagfall.newRunner({ project });
    expect(await give(shared)).toBe(201);
    const gone = { method: 'DELETE', path: `/runners/${shared.id}`, token: person.token };
    expect((await flagfall.call(gone)).body.message).toBe(
      '403 Forbidden - Runner associated with more than one project',
    );
  });
});

describe('registration with a token', () => {
  const allow = (allowed: boolean) =>
    root('PUT', '/application/settings', { allow_runner_registration_token: allowed });
  const register = (token: string, more: object = {}) =>
    flagfall.call({
      method: 'POST',
      path: '/runners',
      json: { token, run_untagged: true, locked: false, paused: false, info: { name: 'gitlab-runner' }, ...more },
    });

  it('is off until an administrator allows it', async () => {
    const { body } = await root('POST', '/runners/reset_registration_token');
    expect((await root('GET', '/application/settings')).body.allow_runner_registration_token).toBe(false);
    const refused = await register(body.token);
    expect([refused.status, refused.body.message]).toEqual([410, expect.stringContaining('POST /user/runners')]);
  });

  describe('where it is allowed', () => {
    beforeAll(() => allow(true));
    afterAll(() => allow(false));

    it('makes a runner of the installation, with what it says of itself', async () => {
      const { status, body } = await root('POST', '/runners/reset_registration_token');
      expect([status, Object.keys(body)]).toEqual([201, ['token', 'token_expires_at']]);
      const answer = await register(body.token, {
        description: 'build-host-1',
        tag_list: 'linux,shell',
        run_untagged: false,
        locked: true,
        access_level: 'ref_protected',
        maximum_timeout: 3600,
        maintenance_note: 'rack 4',
      });
      expect([answer.status, answer.headers.get('content-type')]).toEqual([201, 'application/json']);
      expect(answer.body).toEqual({
        id: expect.any(Number) as number,
        token: expect.stringMatching(/^glrtr-[\w-]{20,}$/) as string,
        token_expires_at: null,
      });
      expect(await flagfall.root({ path: `/runners/${answer.body.id}` })).toMatchObject({
        runner_type: 'instance_type',
        description: 'build-host-1',
        tag_list: ['linux', 'shell'],
        run_untagged: false,
        locked: true,
        access_level: 'ref_protected',
        maximum_timeout: 3600,
        maintenance_note: 'rack 4',
        created_by: null,
      });
      // Whoever registered itself stays known as such, whoever changes the token.
      const own = { method: 'POST', path: '/runners/reset_authentication_token', json: { token: answer.body.token } };
      const second = (await flagfall.call(own)).body.token as string;
      const third = await root('POST', `/runners/${answer.body.id}/reset_authentication_token`);
      expect([second, third.body.token]).toEqual([expect.stringMatching(/^glrtr-/), expect.stringMatching(/^glrtr-/)]);
      const json = { token: third.body.token };
      expect((await flagfall.call({ method: 'DELETE', path: '/runners', json })).status).toBe(204);
    });

    it('makes a runner of the project whose token it is, which takes its jobs alone', async () => {
      const { body } = await root('POST', `/projects/${project.id}/runners/reset_registration_token`);
      // As `curl` sends it, in the words of former versions.
      const { body: registered } = await flagfall.call({
        method: 'POST',
        path: '/runners',
        form: [
          ['token', body.token],
          ['description', 'mine'],
          ['active', 'false'],
          ['maintainer_note', 'old'],
        ],
      });
      const path = `/runners/${registered.id}`;
      expect(await flagfall.root({ path })).toMatchObject({
        runner_type: 'project_type',
        paused: true,
        maintenance_note: 'old',
        projects: [{ id: project.id }],
      });
      await root('PUT', path, { paused: false });
      const runner = new HandRunner(flagfall, { id: registered.id, token: registered.token });
      await other.trigger();
      expect((await runner.request()).status).toBe(204);
      await project.trigger();
      await runner.end(await runner.start(), 'success');
      const rest = await flagfall.newRunner({ project: other });
      await rest.end(await rest.start(), 'success');
    });

    it('is refused with a token that is wrong, or was another’s before, and where a runner could take nothing', async () => {
      const path = '/runners/reset_registration_token';
      const [former, now] = [await root('POST', path), await root('POST', path)];
      expect((await register('GR1348941-wrong')).status).toBe(403);
      expect((await register(former.body.token)).status).toBe(403);
      const nothing = await register(now.body.token, { run_untagged: false });
      expect(nothing).toMatchObject({ status: 400, body: { message: { tags_list: [expect.any(String)] } } });
      expect((await register('')).status).toBe(400);
    });

    it('has its tokens given out by administrators and Maintainers only', async () => {
      const person = await flagfall.newUser('developer');
      await flagfall.join(project, person, 30);
      for (const path of [
        '/runners/reset_registration_token',
        `/projects/${project.id}/runners/reset_registration_token`,
      ])
        expect((await flagfall.call({ method: 'POST', path, token: person.token })).status).toBe(403);
    });
  });
});
