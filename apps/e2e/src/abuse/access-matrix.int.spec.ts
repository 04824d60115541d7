// needs: rabbitmq, postgresql
import { startsFlagfall } from '../testing/flagfall.js';
import type { TakenJob } from '../testing/hand-runner.js';
import { type Operation, operationsOf, pathWith } from './operations.js';
import { type Ids, Target } from './target.js';

const flagfall = startsFlagfall({ name: 'access_matrix', environment: { REQUEST_HOLD_MS: '0' } });

const levels = { guest: 10, reporter: 20, developer: 30, maintainer: 40, owner: 50 };
const users = ['stranger', 'guest', 'reporter', 'developer', 'maintainer', 'owner', 'administrator'] as const;
const roles = ['anonymous', ...users, 'job token', 'trigger token', 'runner token'] as const;
type Role = (typeof roles)[number];

/**
 * Who may, on a private project whose jobs are not public (trigger-api.md §3.3): `developer` means Developers, who is more, and administrators;
 * `users` whoever is signed in; `all` whoever comes, with any token or none; the tokens only where they are named.
 */
type Who =
  | 'all'
  | 'nobody'
  | 'users'
  | Exclude<(typeof users)[number], 'stranger'>
  | 'anonymous'
  | 'job token'
  | 'trigger token'
  | 'runner token';

interface Row {
  who: Who | readonly Who[];
  /** Sent as JSON where the method has a body, in the query elsewhere. */
  send?: object;
  /** What of its path's ids goes with a call that is allowed, made anew for the next one. */
  fresh?: () => Promise<Ids>;
  /** A call that is allowed takes the caller's own token away. */
  spends?: true;
  /** What is allowed finds nothing here, and says so with this status. */
  finds?: 404;
  /** GitLab's status for those who may not, where it is none of 401, 403 and 404. */
  refuses?: 400 | 410;
  /** Everybody sends their token as a runner does. */
  asRunner?: true;
}

let target: Target;
let other: Target;
let running: TakenJob;
let operations: Operation[];
const secrets = {} as Record<Role, string>;
const people: Partial<Record<Role, number>> = {};
/** Counts what is made, so that no name is taken. */
let made = 0;

beforeAll(async () => {
  operations = await operationsOf(flagfall.url);
  target = await Target.make(flagfall, 'target');
  other = await Target.make(flagfall, 'other');
  for (const role of users.slice(0, -1)) {
    const person = await flagfall.newUser(role);
    people[role] = person.id;
    secrets[role] = person.token;
    const level = levels[role as keyof typeof levels];
    if (level) await flagfall.join(target.project, person, level);
  }
  await flagfall.newUser('newcomer');
  people.administrator = (await flagfall.root({ path: '/user' })).id;
  running = await target.runningJob();
  // Another one than all else is done with: it is revoked on the way.
  secrets.administrator = await flagfall.newAccessToken(people.administrator ?? 0);
  secrets['job token'] = running.token;
  secrets['trigger token'] = target.trigger.token;
  secrets['runner token'] = await newRunnerToken();
});

/** Of a runner that gets no job. */
async function newRunnerToken(): Promise<string> {
  const runner = await flagfall.newRunner({ project: target.project, tag_list: ['none'], run_untagged: false });
  await runner.request();
  return runner.token;
}

async function renew(role: Role): Promise<void> {
  const id = people[role];
  secrets[role] = id === undefined ? await newRunnerToken() : await flagfall.newAccessToken(id);
}

const next = () => `made-${(made += 1)}`;

/** Things for calls that take them away. */
const fresh = {
  user: async () => ({ id: (await flagfall.newUser(next())).id }),
  accessToken: async () => {
    const { id: userId } = await flagfall.newUser(next());
    const json = { name: 'for a test', scopes: ['api'] };
    const path = `/users/${userId}/personal_access_tokens`;
    return { id: (await flagfall.root({ method: 'POST', path, json })).id };
  },
  session: async () => {
    const { token } = await flagfall.newUser(next());
    await flagfall.must({ method: 'POST', path: '//-/session', json: { access_token: token } });
    const [{ id }] = await flagfall.must({ path: '//-/sessions', token });
    return { id };
  },
  project: async () => {
    const project = await flagfall.newProject({ path: next() });
    const members = Object.entries(levels).map(([role, level]) => ({ id: people[role as Role], level }));
    for (const { id, level } of members) await project.post('/members', { user_id: id, access_level: level });
    return { id: project.id };
  },
  member: async () => {
    const person = await flagfall.newUser(next());
    await flagfall.join(target.project, person, 10);
    return { user_id: person.id };
  },
  variable: async () => ({
    key: (await target.project.post('/variables', { key: next().replace('-', '_'), value: 'x' })).key,
  }),
  branch: async () => ({ name: (await target.project.post('/protected_branches', { name: next() })).name }),
  tag: async () => ({ name: (await target.project.post('/protected_tags', { name: next() })).name }),
  pipeline: async () => ({ pipeline_id: (await target.project.trigger()).id }),
  job: async () => ({ job_id: await target.finishedJob() }),
  manualJob: async () => {
    const { id } = await target.project.trigger();
    return { job_id: (await target.project.jobs(id))['approve'].id };
  },
  trigger: async () => ({ trigger_id: (await flagfall.newTrigger(target.project)).id }),
  runner: async () => ({ id: (await flagfall.newRunner({ project: target.project, tag_list: ['none'] })).id }),
  assignedRunner: async () => {
    const { id } = await flagfall.newRunner({ project: other.project, tag_list: ['none'] });
    await target.project.post('/runners', { runner_id: id });
    return { runner_id: id };
  },
};

const api = '/api/v4';
const project = `${api}/projects/{id}`;
const pipeline = `${project}/pipelines/{pipeline_id}`;
const job = `${project}/jobs/{job_id}`;
const runner = `${api}/runners`;
const readers: Row = { who: ['reporter', 'job token'] };

/** Every operation, and who may. Guests see that the project is there; from Reporters on its pipelines and jobs are read. */
const table: Record<string, Row> = {
  'GET /': { who: 'all' },
  'GET /api/openapi.json': { who: 'all' },
  'GET /-/liveness': { who: 'all' },
  'GET /-/readiness': { who: 'all' },
  'GET /-/metrics': { who: 'administrator' },
  [`GET ${api}/version`]: { who: 'users' },
  [`GET ${api}/metadata`]: { who: 'users' },

  'POST /-/session': { who: 'users' },
  'GET /-/session': { who: 'nobody' },
  'DELETE /-/session': { who: ['anonymous', 'users', 'job token'] },
  'GET /-/sessions': { who: 'users' },
  'DELETE /-/sessions': { who: 'users' },
  'DELETE /-/sessions/{id}': { who: 'nobody' },
  'GET /-/runners': { who: 'administrator' },

  [`GET ${api}/user`]: { who: 'users' },
  [`GET ${api}/users`]: { who: 'users' },
  [`GET ${api}/users/{id}`]: { who: 'users' },
  [`POST ${api}/users`]: { who: 'administrator', send: { username: 'made', name: 'x', email: 'made@example.com' } },
  [`DELETE ${api}/users/{id}`]: { who: 'administrator', fresh: fresh.user },
  [`POST ${api}/users/{id}/block`]: { who: 'administrator', fresh: fresh.user },
  [`POST ${api}/users/{id}/unblock`]: { who: 'administrator', fresh: fresh.user },
  [`POST ${api}/users/{user_id}/personal_access_tokens`]: {
    who: 'administrator',
    send: { name: 'x', scopes: ['api'] },
  },
  [`POST ${api}/user/personal_access_tokens`]: { who: 'users', send: { name: 'x', scopes: ['api'] } },
  [`GET ${api}/personal_access_tokens`]: { who: 'users' },
  [`GET ${api}/personal_access_tokens/self`]: { who: 'users' },
  [`DELETE ${api}/personal_access_tokens/self`]: { who: 'users', spends: true },
  [`GET ${api}/personal_access_tokens/{id}`]: { who: 'administrator' },
  [`DELETE ${api}/personal_access_tokens/{id}`]: { who: 'administrator', refuses: 400, fresh: fresh.accessToken },

  [`GET ${api}/application/settings`]: { who: 'administrator' },
  [`PUT ${api}/application/settings`]: { who: 'administrator', send: { allow_runner_registration_token: false } },
  [`GET ${api}/admin/parked_messages`]: { who: 'administrator' },
  [`POST ${api}/admin/parked_messages/{queue}/{message_id}/replay`]: { who: 'administrator', finds: 404 },
  [`DELETE ${api}/admin/parked_messages/{queue}/{message_id}`]: { who: 'administrator', finds: 404 },

  [`GET ${api}/projects`]: { who: ['anonymous', 'users', 'job token'] },
  [`POST ${api}/projects`]: { who: 'administrator', refuses: 400, send: { path: 'made', namespace: 'group' } },
  [`GET ${api}/namespaces`]: { who: 'users' },
  [`GET ${project}`]: { who: 'guest' },
  [`PUT ${project}`]: { who: 'maintainer', send: { description: 'x' } },
  [`DELETE ${project}`]: { who: 'owner', fresh: fresh.project },
  [`GET ${project}/members`]: { who: 'guest' },
  [`GET ${project}/members/{user_id}`]: { who: 'guest' },
  [`POST ${project}/members`]: { who: 'maintainer', send: { username: 'newcomer', access_level: 10 } },
  [`PUT ${project}/members/{user_id}`]: { who: 'maintainer', send: { access_level: 20 } },
  [`DELETE ${project}/members/{user_id}`]: { who: 'maintainer', fresh: fresh.member },
  [`GET ${project}/variables`]: { who: 'maintainer' },
  [`GET ${project}/variables/{key}`]: { who: 'maintainer' },
  [`POST ${project}/variables`]: { who: 'maintainer', send: { key: 'MADE', value: 'x' } },
  [`PUT ${project}/variables/{key}`]: { who: 'maintainer', send: { value: 'x' } },
  [`DELETE ${project}/variables/{key}`]: { who: 'maintainer', fresh: fresh.variable },
  [`GET ${project}/protected_branches`]: { who: 'maintainer' },
  [`GET ${project}/protected_branches/{name}`]: { who: 'maintainer' },
  [`POST ${project}/protected_branches`]: { who: 'maintainer', send: { name: 'made' } },
  [`DELETE ${project}/protected_branches/{name}`]: { who: 'maintainer', fresh: fresh.branch },
  [`GET ${project}/protected_tags`]: { who: 'maintainer' },
  [`GET ${project}/protected_tags/{name}`]: { who: 'maintainer' },
  [`POST ${project}/protected_tags`]: { who: 'maintainer', send: { name: 'made' } },
  [`DELETE ${project}/protected_tags/{name}`]: { who: 'maintainer', fresh: fresh.tag },
  [`POST ${project}/ci/lint`]: { who: 'developer', send: { content: 'a: {script: [b]}' } },
  [`GET ${project}/ci/lint`]: { who: 'developer' },

  [`GET ${project}/pipelines`]: readers,
  [`GET ${project}/pipelines/latest`]: readers,
  [`GET ${pipeline}`]: readers,
  [`GET ${pipeline}/test_report`]: readers,
  [`GET ${pipeline}/jobs`]: readers,
  [`GET ${pipeline}/bridges`]: readers,
  [`GET ${pipeline}/trigger_jobs`]: readers,
  [`GET ${pipeline}/variables`]: { who: 'maintainer' },
  [`PUT ${pipeline}/metadata`]: { who: ['developer', 'job token'], send: { name: 'x' } },
  [`POST ${project}/pipeline`]: { who: 'developer', send: { ref: 'main' } },
  [`POST ${pipeline}/cancel`]: { who: 'developer', fresh: fresh.pipeline },
  [`POST ${pipeline}/retry`]: { who: 'developer', fresh: fresh.pipeline },
  [`DELETE ${pipeline}`]: { who: 'owner', fresh: fresh.pipeline },
  [`GET /-/projects/{id}/pipelines`]: { who: 'reporter' },
  [`GET /-/projects/{id}/pipelines/{pipeline_id}`]: { who: 'reporter' },
  [`GET /-/projects/{id}/jobs`]: { who: 'reporter' },
  [`GET /-/projects/{id}/run_form`]: { who: 'developer' },
  [`GET /-/projects/{id}/live`]: { who: 'reporter' },

  [`GET ${project}/jobs`]: { who: 'reporter' },
  [`GET ${job}`]: { who: 'reporter' },
  [`GET ${job}/trace`]: { who: 'reporter' },
  [`POST ${job}/cancel`]: { who: 'developer' },
  [`POST ${job}/retry`]: { who: 'developer', fresh: fresh.job },
  [`POST ${job}/play`]: { who: 'developer', fresh: fresh.manualJob },
  [`POST ${job}/erase`]: { who: 'maintainer', fresh: fresh.job },
  [`GET ${job}/artifacts`]: readers,
  [`GET ${job}/artifacts/{path}`]: readers,
  [`GET ${project}/jobs/artifacts/{ref_name}/download`]: { ...readers, send: { job: 'mine' } },
  [`GET ${project}/jobs/artifacts/{ref_name}/raw/{path}`]: { ...readers, send: { job: 'mine' } },
  [`POST ${job}/artifacts/keep`]: { who: 'developer' },
  [`DELETE ${job}/artifacts`]: { who: 'developer', fresh: fresh.job },
  [`GET ${project}/resource_groups`]: { who: 'reporter' },
  [`GET ${project}/resource_groups/{key}`]: { who: 'reporter' },
  [`GET ${project}/resource_groups/{key}/upcoming_jobs`]: { who: 'reporter' },
  [`PUT ${project}/resource_groups/{key}`]: { who: 'developer', send: { process_mode: 'unordered' } },
  [`GET ${project}/environments`]: { who: 'reporter' },
  [`GET ${project}/environments/{environment_id}`]: { who: 'reporter' },

  [`GET ${project}/triggers`]: { who: 'maintainer' },
  [`GET ${project}/triggers/{trigger_id}`]: { who: 'maintainer' },
  [`POST ${project}/triggers`]: { who: 'maintainer', send: { description: 'x' } },
  // The owner's alone, who is an administrator here: a Maintainer does not rename what others answer for.
  [`PUT ${project}/triggers/{trigger_id}`]: { who: 'administrator', send: { description: 'x' } },
  [`DELETE ${project}/triggers/{trigger_id}`]: { who: 'maintainer', fresh: fresh.trigger },
  [`GET ${project}/trigger/requests`]: { who: 'maintainer' },
  [`GET ${project}/trigger/requests/{request_id}`]: { who: 'maintainer' },
  [`POST ${project}/trigger/pipeline`]: { who: ['trigger token', 'job token'], send: { ref: 'main' } },
  [`POST ${project}/ref/{ref}/trigger/pipeline`]: { who: ['trigger token', 'job token'] },
  // 128 random bits are the credential.
  [`GET ${api}/trigger_requests/{status_token}`]: { who: 'nobody' },

  [`POST ${api}/user/runners`]: { who: 'maintainer', send: { runner_type: 'project_type' } },
  [`GET ${runner}`]: { who: 'users' },
  [`GET ${runner}/all`]: { who: 'administrator' },
  [`GET ${runner}/{id}`]: { who: 'maintainer' },
  [`PUT ${runner}/{id}`]: { who: 'maintainer', send: { description: 'x' } },
  [`DELETE ${runner}/{id}`]: { who: 'maintainer', fresh: fresh.runner },
  [`GET ${runner}/{id}/managers`]: { who: 'maintainer' },
  [`GET ${runner}/{id}/jobs`]: { who: 'maintainer' },
  [`POST ${runner}/{id}/reset_authentication_token`]: { who: 'maintainer', fresh: fresh.runner },
  [`POST ${runner}/reset_registration_token`]: { who: 'administrator' },
  [`GET ${project}/runners`]: { who: 'maintainer' },
  // Of another project, which only administrators maintain as well.
  [`POST ${project}/runners`]: { who: 'administrator' },
  [`DELETE ${project}/runners/{runner_id}`]: { who: 'maintainer', fresh: fresh.assignedRunner },
  [`POST ${project}/runners/reset_registration_token`]: { who: 'maintainer' },

  // With the registration token alone, of which nobody here has one.
  [`POST ${runner}`]: { who: 'nobody', refuses: 410 },
  [`DELETE ${runner}`]: { who: 'runner token', spends: true },
  [`POST ${runner}/verify`]: { who: 'runner token' },
  [`DELETE ${runner}/managers`]: { who: 'runner token', send: { system_id: 's_0123456789ab' } },
  [`POST ${runner}/reset_authentication_token`]: { who: 'runner token', spends: true },
  [`POST ${api}/jobs/request`]: { who: 'runner token' },
  [`PUT ${api}/jobs/{job_id}`]: { who: 'job token', send: { state: 'running' } },
  [`PATCH ${api}/jobs/{job_id}/trace`]: { who: 'job token', asRunner: true },
  [`POST ${api}/jobs/{job_id}/artifacts`]: { who: 'job token' },
  [`GET ${api}/jobs/{job_id}/artifacts`]: { who: 'job token' },
  [`GET ${api}/job`]: { who: 'job token' },
  [`GET /-/git/{path}/info/refs`]: { who: ['reporter', 'job token'], send: { service: 'git-upload-pack' } },
  [`POST /-/git/{path}/git-upload-pack`]: { who: ['reporter', 'job token'] },
  [`POST /-/git/{path}/git-receive-pack`]: { who: 'nobody' },

  // The last one: what others download is gone after it.
  [`DELETE ${project}/artifacts`]: { who: 'maintainer' },
};

/** What ids stand for depends on what they are of. */
async function idsFor({ method, path }: Operation): Promise<Ids> {
  const rest = {
    key: 'KEY_OF_target',
    name: 'release-target',
    queue: 'pipelines.pipeline.triggered.v1',
    message_id: 'x',
  };
  const ids = { ...rest, ...target.ids, status_token: 'x'.repeat(22) };
  if (path.includes('/resource_groups/')) return { ...ids, key: 'turn-target' };
  if (path.includes('/protected_tags/')) return { ...ids, name: 'v-target' };
  if (path.includes('/users/{id}')) return { ...ids, id: people.stranger ?? 0 };
  if (path.includes('/personal_access_tokens/{id}')) return { ...ids, ...(await fresh.accessToken()) };
  if (path.includes('/runners/{id}')) return { ...ids, id: target.runner.id };
  if (path.includes('/sessions/{id}')) return { ...ids, ...(await fresh.session()) };
  if (path.startsWith('/-/git/')) return { ...ids, path: target.project.path };
  // Runners speak of the job that runs; what they download is of another.
  if (path.startsWith('/api/v4/jobs/') && method !== 'GET') return { ...ids, job_id: running.id };
  return ids;
}

function allowed({ who }: Row): Set<Role> {
  const names = [who].flat();
  return new Set(
    names.flatMap((name): readonly Role[] => {
      if (name === 'all') return roles;
      if (name === 'nobody') return [];
      if (name === 'users') return users;
      const least = users.indexOf(name as (typeof users)[number]);
      return least < 0 ? [name as Role] : users.slice(least);
    }),
  );
}

async function statusOf(operation: Operation, row: Row, role: Role, ids: Ids): Promise<number> {
  const { method, path, sent, hasBody } = operation;
  const secret = secrets[role];
  const parameters: Record<string, unknown> = { ...row.send };
  // Where the token is a parameter, everybody tries their own.
  for (const { name } of sent)
    if (secret && (name === 'token' || (name === 'access_token' && path === '/-/session'))) parameters[name] = secret;
  if (path === `${project}/runners` && hasBody) parameters['runner_id'] = other.runner.id;
  if (path.endsWith('/user/runners')) parameters['project_id'] = target.project.id;
  // Nobody calls from the gateway's own machine.
  const headers: Record<string, string> = { 'X-Forwarded-For': '192.0.2.1' };
  if (secret) headers[role === 'job token' ? 'JOB-TOKEN' : 'PRIVATE-TOKEN'] = secret;
  if (row.asRunner) Object.assign(headers, { 'JOB-TOKEN': secret ?? '', 'Content-Range': '0-1' });
  if (secret && path.startsWith('/-/git/')) headers['Authorization'] = `Basic ${btoa(`x:${secret}`)}`;
  if (hasBody) headers['Content-Type'] = 'application/json';
  const query = hasBody ? '' : `?${String(new URLSearchParams(parameters as Record<string, string>))}`;
  const answer = await fetch(`${flagfall.url}${pathWith(path, ids)}${query}`, {
    method,
    headers,
    redirect: 'manual',
    body: hasBody ? JSON.stringify(parameters) : undefined,
    signal: AbortSignal.timeout(30_000),
  });
  // A stream has no end.
  if (answer.headers.get('content-type')?.startsWith('text/event-stream')) await answer.body?.cancel();
  else await answer.arrayBuffer();
  return answer.status;
}

/** Also where a token is asked for as a parameter, and somebody has none. */
function isDenied(status: number, role: Role, { refuses }: Row, { sent }: Operation): boolean {
  const wantsToken = sent.some(({ name, required }) => name.endsWith('token') && required);
  return [401, 403, 404, refuses].includes(status) || (status === 400 && role === 'anonymous' && wantsToken);
}

it('knows every operation, and no other', () => {
  expect(operations.map(({ name }) => name).sort()).toEqual(Object.keys(table).sort());
});

describe('who may', () => {
  it.each(Object.entries(table))('%s', async (name, row) => {
    const operation = operations.find((each) => each.name === name)!;
    // A runner that is not heard of has lost its job.
    await target.runner.put(running, { state: 'running' });
    const may = allowed(row);
    let ids = { ...(await idsFor(operation)), ...(await row.fresh?.()) };
    const wrong: string[] = [];
    for (const role of roles) {
      const status = await statusOf(operation, row, role, ids);
      tried += 1;
      const expected = may.has(role);
      const passes = !isDenied(status, role, row, operation) || (expected && status === row.finds);
      if (passes !== expected || status >= 500) wrong.push(`${role} got ${status}`);
      if (passes && row.spends) await renew(role);
      if (passes && row.fresh) ids = { ...ids, ...(await row.fresh()) };
    }
    expect(wrong).toEqual([]);
  });
});

/** Ids that belong to a project, by the route's names; what is named the same in each project is in neither list. */
const ofProjects = [
  'pipeline_id',
  'job_id',
  'trigger_id',
  'environment_id',
  'request_id',
  'runner_id',
  'user_id',
  'ref_name',
  'key',
  'name',
];

describe('what belongs to another project is not there (404), even for whoever may do everything in both', () => {
  it('on every route', async () => {
    const shown = async (): Promise<unknown> => {
      const paths = [
        '',
        '/pipelines',
        '/jobs',
        '/triggers',
        '/variables',
        '/members',
        '/runners',
        '/protected_branches',
        '/protected_tags',
      ];
      const parts = await Promise.all(paths.map((path) => other.project.get(path)));
      // Time goes on, and runners tell when they were last seen.
      return JSON.parse(
        JSON.stringify(parts, (name, value: unknown) => (/_at$|^status$|duration$/.test(name) ? undefined : value)),
      );
    };
    // The one that is there was let in by name.
    const { id: runnerId } = await flagfall.newRunner({ project: other.project, tag_list: ['none'] });
    const before = await shown();
    const wrong: string[] = [];
    for (const operation of operations) {
      const foreign = operation.inPath.filter((name) => ofProjects.includes(name));
      if (!operation.path.includes('/projects/{id}/') || foreign.length === 0) continue;
      const own = await idsFor(operation);
      const theirs = {
        ...other.ids,
        runner_id: runnerId,
        key: String(own['key']).replace('target', 'other'),
        name: String(own['name']).replace('target', 'other'),
      };
      for (const name of foreign) {
        const status = await statusOf(operation, table[operation.name]!, 'administrator', {
          ...own,
          [name]: theirs[name as keyof typeof theirs],
        });
        crossed += 1;
        if (status !== 404) wrong.push(`${operation.name} with the {${name}} of another project got ${status}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(crossed).toBeGreaterThan(30);
    expect(await shown()).toEqual(before);
  });

  it('for a job’s token, which is good for its own job alone', async () => {
    const theirs = await other.runningJob();
    await target.runner.put(running, { state: 'running' });
    const wrong: string[] = [];
    for (const operation of operations.filter(({ path }) => path.startsWith('/api/v4/jobs/{job_id}'))) {
      const jobId = operation.method === 'GET' ? other.ids['job_id']! : theirs.id;
      const status = await statusOf(operation, table[operation.name]!, 'job token', { job_id: jobId });
      crossed += 1;
      if (![403, 404].includes(status)) wrong.push(`${operation.name} got ${status}`);
    }
    expect(wrong).toEqual([]);
    expect((await other.project.job(theirs)).status).toBe('running');
  });
});

let tried = 0;
let crossed = 0;
afterAll(() => {
  process.stdout.write(
    `Access matrix: ${operations.length} operations × ${roles.length} roles, ${tried} calls; ${crossed} with ids of another project\n`,
  );
});
