import { Controller, Delete, Get, Post } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { Endpoint } from '../http/endpoint.decorator.js';
import {
  addJob,
  addProject,
  addToken,
  externalUrl,
  startTestGateway,
  type TestGateway,
  type TestToken,
} from '../testing/test-gateway.js';
import { CurrentViewer, Needs, Project } from './needs.decorator.js';
import type { ProjectAddress } from './project-addresses.js';
import { actorOf, signedIn, type Viewer } from './viewer.js';

@Controller('projects/:id')
class ProjectController {
  @Get('pipelines')
  @Needs('read-pipelines', { jobToken: true })
  @Endpoint({ summary: 'Pipelines' })
  pipelines(@Project() project: ProjectAddress, @CurrentViewer() viewer: Viewer): object {
    return { project: project.id, viewer: viewer.kind, level: viewer.level };
  }

  @Post('pipeline')
  @Needs('create-pipeline')
  @Endpoint({ summary: 'Create', success: 201 })
  create(@Project() project: ProjectAddress, @CurrentViewer() viewer: Viewer): object {
    return { project: project.path, actor: actorOf(signedIn(viewer)) };
  }

  @Get('jobs')
  @Needs('read-jobs')
  @Endpoint({ summary: 'Jobs' })
  jobs(): string[] {
    return [];
  }

  @Get('triggers')
  @Needs('manage-triggers')
  @Endpoint({ summary: 'Triggers' })
  triggers(): string[] {
    return [];
  }

  @Delete('triggers')
  @Needs('manage-triggers')
  @Endpoint({ summary: 'Remove', success: 204 })
  remove(): void {}
}

@Controller()
class OtherController {
  @Get('user')
  @Needs('user', { scopes: ['read_user'] })
  @Endpoint({ summary: 'User' })
  user(@CurrentViewer() viewer: Viewer): object {
    return { id: signedIn(viewer).id };
  }

  @Get('administration')
  @Needs('administrator')
  @Endpoint({ summary: 'Administration' })
  administration(): string[] {
    return [];
  }

  @Get('job')
  @Needs('job')
  @Endpoint({ summary: 'Job' })
  job(@CurrentViewer() viewer: Viewer): object {
    return viewer;
  }

  @Get('projects')
  @Needs('anyone')
  @Endpoint({ summary: 'Projects' })
  projects(@CurrentViewer() viewer: Viewer): object {
    return { viewer: viewer.kind };
  }

  @Get('free')
  @Needs('nothing')
  @Endpoint({ summary: 'Free' })
  free(): string[] {
    return [];
  }
}

let gateway: TestGateway;
let database: DataSource;

const member = (id: number, level: number): TestToken => ({
  token: `level-${level}`,
  userId: id,
  memberships: { 1: level, 5: level, 8: level, 9: level },
});

beforeAll(async () => {
  gateway = await startTestGateway([ProjectController, OtherController], 'info');
  ({ database } = gateway);
  for (const [id, level] of [10, 20, 30, 40, 50].entries()) await addToken(database, member(id + 1, level));
  await addToken(database, { token: 'outsider', userId: 20 });
  await addToken(database, { token: 'admin', userId: 21, admin: true });
  await addToken(database, { token: 'expired', userId: 22, expiresAt: new Date(Date.now() - 1000), revoked: true });
  await addToken(database, { token: 'revoked', userId: 22, revoked: true });
  await addToken(database, { token: 'blocked', userId: 23, state: 'blocked' });
  await addToken(database, { token: 'reader', userId: 24, scopes: ['read_api'], memberships: { 1: 40 } });
  await addToken(database, { token: 'profile', userId: 24, scopes: ['read_user'] });
  await addProject(database, { id: 1, path: 'Group/Private', publicJobs: false });
  await addProject(database, { id: 1, path: 'old/name', current: false, publicJobs: false });
  await addProject(database, { id: 2, path: 'group/public', visibility: 'public' });
  await addProject(database, { id: 3, path: 'group/closed', visibility: 'public', publicJobs: false });
  await addProject(database, { id: 4, path: 'group/internal', visibility: 'internal' });
  await addProject(database, { id: 5, path: 'group/going', state: 'deleting' });
  await addProject(database, { id: 6, path: 'old/name2', visibility: 'public' });
  await addProject(database, { id: 2, path: 'old/name2', current: false, visibility: 'public' });
  await addProject(database, { id: 8, path: 'group/off', builds: 'disabled' });
  await addProject(database, { id: 9, path: 'group/attic', archived: true });
  await addJob(database, 'running-job', 1);
  await addJob(database, 'finished-job', 1, 'success');
});
afterAll(() => gateway.close());

async function call(method: string, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.url}/api/v4/${path}`, { method, headers, redirect: 'manual' });
  const text = await response.text();
  return { status: response.status, body: text ? (JSON.parse(text) as unknown) : '', headers: response.headers };
}
const as = (token: string) => ({ 'PRIVATE-TOKEN': token });

const unauthorized = { message: '401 Unauthorized' };
const forbidden = { message: '403 Forbidden' };
const noProject = { message: '404 Project Not Found' };
const ok = expect.anything() as unknown;

describe('credentials', () => {
  const basic = (text: string) => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  it.each([
    ['header', 'user', as('outsider')],
    ['header in lower case', 'user', { 'private-token': 'outsider' }],
    ['parameter', 'user?private_token=outsider', {}],
    ['bearer', 'user', { Authorization: 'Bearer outsider' }],
    ['access_token', 'user?access_token=outsider', {}],
    ['basic', 'user', basic('whoever:outsider')],
    ['blank ones are none', 'user?private_token=', as('outsider')],
  ])('%s', async (_, path, headers) => {
    expect(await call('GET', path, headers)).toMatchObject({ status: 200, body: { id: 20 } });
  });

  it('are found in a body, too', async () => {
    const response = await fetch(`${gateway.url}/api/v4/projects/1/pipeline`, {
      method: 'POST',
      body: new URLSearchParams({ private_token: 'level-30' }),
    });
    expect(response.status).toBe(201);
  });

  const expired = {
    error: 'invalid_token',
    error_description: 'Token is expired. You can either do re-authorization or token refresh.',
  };
  const revoked = {
    error: 'invalid_token',
    error_description: 'Token was revoked. You have to re-authorize from the user.',
  };
  const scope = {
    error: 'insufficient_scope',
    error_description: 'The request requires higher privileges than provided by the access token.',
  };
  it.each([
    ['none', 'GET', 'user', {}, 401, unauthorized],
    ['unknown', 'GET', 'user', as('who'), 401, unauthorized],
    ['unknown, where anybody may read', 'GET', 'projects/2/pipelines', as('who'), 401, unauthorized],
    ['unknown, where nobody asks', 'GET', 'free', as('who'), 200, []],
    ['expired before revoked', 'GET', 'user', as('expired'), 401, expired],
    ['revoked', 'GET', 'user', as('revoked'), 401, revoked],
    ['blocked', 'GET', 'user', as('blocked'), 403, { message: '403 Forbidden - Your account has been blocked.' }],
    ['reading with read_api', 'GET', 'projects/1/triggers', as('reader'), 200, []],
    ['writing with read_api', 'DELETE', 'projects/1/triggers', as('reader'), 403, { ...scope, scope: 'api' }],
    ['read_user where it suffices', 'GET', 'user', as('profile'), 200, { id: 24 }],
    ['read_user elsewhere', 'GET', 'projects/1/jobs', as('profile'), 403, { ...scope, scope: 'api read_api' }],
    ['job token where none is taken', 'GET', 'projects/1/jobs', { 'JOB-TOKEN': 'running-job' }, 401, unauthorized],
    ['no administrator', 'GET', 'administration', as('level-50'), 403, forbidden],
    ['administrator', 'GET', 'administration', as('admin'), 200, []],
    ['anyone, nobody', 'GET', 'projects', {}, 200, { viewer: 'anonymous' }],
    ['anyone, somebody', 'GET', 'projects', as('outsider'), 200, { viewer: 'user' }],
    ['anyone, garbage', 'GET', 'projects', as('who'), 401, unauthorized],
  ])('%s', async (_, method, path, headers, status, body) => {
    const answer = await call(method, path, headers);
    expect({ status: answer.status, body: answer.body }).toEqual({ status, body });
  });

  it('a bad token says so in a header, as OAuth wants it', async () => {
    const { headers } = await call('GET', 'user', as('revoked'));
    expect(headers.get('www-authenticate')).toMatch(
      /^Bearer realm="The API", error="invalid_token", error_description="Token/,
    );
  });
});

describe('job tokens', () => {
  it.each([
    ['a running job', 'job', { 'JOB-TOKEN': 'running-job' }, 200, { kind: 'job', jobId: 77, projectId: 1 }],
    ['as a parameter', 'job?job_token=running-job', {}, 200, { jobId: 77 }],
    ['a finished job', 'job', { 'JOB-TOKEN': 'finished-job' }, 401, unauthorized],
    ['none', 'job', {}, 401, unauthorized],
    ['a user', 'job', as('outsider'), 404, { message: '404 Job Not Found' }],
    ['its own project', 'projects/1/pipelines', { 'JOB-TOKEN': 'running-job' }, 200, { viewer: 'job', level: 20 }],
    ['a private project of others', 'projects/8/pipelines', { 'JOB-TOKEN': 'running-job' }, 404, noProject],
    ['an internal project', 'projects/4/pipelines', { 'JOB-TOKEN': 'running-job' }, 404, noProject],
    ['a public project', 'projects/2/pipelines', { 'JOB-TOKEN': 'running-job' }, 200, { level: 0 }],
  ])('%s', async (_, path, headers, status, body) => {
    expect(await call('GET', path, headers as Record<string, string>)).toMatchObject({ status, body });
  });
});

describe('anonymous callers (trigger-api.md §3.2)', () => {
  it.each([
    ['GET', 'projects/1/triggers', 401, unauthorized],
    ['GET', 'projects/2/triggers', 401, unauthorized],
    ['GET', 'projects/99/triggers', 401, unauthorized],
    ['GET', 'projects/1/jobs', 401, unauthorized],
    ['GET', 'projects/2/jobs', 401, unauthorized],
    ['GET', 'projects/1/pipelines', 404, noProject],
    ['GET', 'projects/2/pipelines', 200, ok],
    ['GET', 'projects/3/pipelines', 403, forbidden],
    ['GET', 'projects/4/pipelines', 404, noProject],
    ['GET', 'projects/99/pipelines', 404, noProject],
    ['POST', 'projects/2/pipeline', 401, unauthorized],
    ['POST', 'projects/1/pipeline', 401, unauthorized],
    ['GET', 'version', 401, unauthorized],
    ['GET', 'metadata', 401, unauthorized],
  ])('%s %s → %i', async (method, path, status, body) => {
    const answer = await call(method, path);
    expect({ status: answer.status, body: answer.body }).toEqual({ status, body });
  });
});

describe('members of a private project, from Guest to Owner', () => {
  it.each([
    ['GET', 'projects/1/pipelines', [403, 200, 200, 200, 200]],
    ['GET', 'projects/1/jobs', [403, 200, 200, 200, 200]],
    ['POST', 'projects/1/pipeline', [403, 403, 201, 201, 201]],
    ['GET', 'projects/1/triggers', [403, 403, 403, 200, 200]],
    ['DELETE', 'projects/1/triggers', [403, 403, 403, 204, 204]],
    ['GET', 'projects/8/pipelines', [403, 403, 403, 403, 403]],
    ['GET', 'projects/9/pipelines', [200, 200, 200, 200, 200]],
    ['POST', 'projects/9/pipeline', [403, 403, 403, 403, 403]],
    ['GET', 'projects/5/pipelines', [404, 404, 404, 404, 404]],
  ])('%s %s → %j', async (method, path, expected) => {
    const statuses = [];
    for (const level of [10, 20, 30, 40, 50]) statuses.push((await call(method, path, as(`level-${level}`))).status);
    expect(statuses).toEqual(expected);
  });

  it.each([
    ['outsider', 'projects/1/pipelines', 404, noProject],
    ['outsider', 'projects/2/pipelines', 200, ok],
    ['outsider', 'projects/3/pipelines', 403, forbidden],
    ['outsider', 'projects/4/pipelines', 200, ok],
    ['outsider', 'projects/2/triggers', 403, forbidden],
    ['admin', 'projects/1/triggers', 200, []],
    ['admin', 'projects/99/triggers', 404, noProject],
  ])('%s: %s → %i', async (token, path, status, body) => {
    const answer = await call('GET', path, as(token));
    expect({ status: answer.status, body: answer.body }).toEqual({ status, body });
  });

  it('the handler hears who it is, as the services are told', async () => {
    expect((await call('POST', 'projects/group%2Fprivate/pipeline', as('level-40'))).body).toEqual({
      project: 'Group/Private',
      actor: {
        id: 4,
        username: 'user4',
        name: 'User 4',
        email: null,
        state: 'active',
        admin: false,
        createdAt: expect.any(String),
        accessLevel: 40,
      },
    });
  });
});

describe('finding a project', () => {
  it.each([
    ['projects/1/pipelines', 1],
    ['projects/Group%2FPrivate/pipelines', 1],
    ['projects/group%2fprivate/pipelines', 1],
    ['projects/GROUP%2FPrivate/pipelines', 1],
    ['projects/group%2Fpu%62lic/pipelines', 2],
    ['projects/old%2Fname2/pipelines', 6],
    ['projects/0001/pipelines', 1],
  ])('%s', async (path, id) => {
    expect(await call('GET', path, as('level-50'))).toMatchObject({ status: 200, body: { project: id } });
  });

  it.each([
    'private',
    'group',
    '-1',
    '1.0',
    '99999999999999999999',
    'group%2Fprivate%2F',
    '%2F',
    'group%252Fprivate',
    "';--%2F",
  ])('nothing under %s', async (id) => {
    expect(await call('GET', `projects/${id}/pipelines`, as('admin'))).toMatchObject({ status: 404, body: noProject });
  });

  it('a former path leads on', async () => {
    const { status, headers } = await call('GET', 'projects/old%2Fname/pipelines?page=2', as('level-50'));
    expect(status).toBe(301);
    expect(headers.get('location')).toBe(`${externalUrl}/api/v4/projects/1/pipelines?page=2`);
  });

  it('a former path takes no writes', async () => {
    expect(await call('POST', 'projects/old%2Fname/pipeline', as('level-50'))).toMatchObject({
      status: 405,
      body: { message: 'Non GET methods are not allowed for moved projects' },
    });
  });

  it('a former path tells strangers nothing', async () => {
    expect(await call('GET', 'projects/old%2Fname/pipelines', as('outsider'))).toMatchObject({
      status: 404,
      body: noProject,
    });
  });
});

it('a revoked token is refused from the next request on', async () => {
  const token = await addToken(database, { token: 'short-lived', userId: 30 });
  expect((await call('GET', 'user', as(token))).status).toBe(200);
  await database.query(`update tokens.access_credentials set revoked = true where user_id = 30`);
  expect((await call('GET', 'user', as(token))).status).toBe(401);
});

it('many concurrent callers are told apart', async () => {
  const names = [10, 20, 30, 40, 50].flatMap((level) => Array.from({ length: 20 }, () => level));
  const answers = await Promise.all(names.map((level) => call('GET', 'projects/1/jobs', as(`level-${level}`))));
  expect(answers.map(({ status }) => status)).toEqual(names.map((level) => (level === 10 ? 403 : 200)));
});

describe('a handler without a need', () => {
  it('keeps the gateway from starting', async () => {
    @Controller('open')
    class OpenController {
      @Get()
      show(): string {
        return '';
      }
    }
    await expect(startTestGateway([OpenController])).rejects.toThrow('OpenController.show');
  });
});
