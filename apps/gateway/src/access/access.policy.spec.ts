import { AccessLevel, type Visibility } from '#libs/contracts';
import {
  mayRead,
  needsCredentials,
  type ProjectAction,
  projectActions,
  type ProjectFacts,
  refusalFor,
} from './access.policy.js';
import { anonymous, type JobViewer, onProject, type UserViewer, type Viewer } from './viewer.js';

const user = (level: number, more: Partial<UserViewer> = {}): UserViewer => ({
  kind: 'user',
  id: 7,
  username: 'ada',
  name: 'Ada',
  email: null,
  admin: false,
  createdAt: new Date(0),
  tokenId: 1,
  scopes: ['api'],
  memberships: {},
  level,
  ...more,
});
const job = (level: number): JobViewer => ({ kind: 'job', jobId: 1, projectId: 1, pipelineId: 1, userId: 7, level });

const project = (visibility: Visibility, more: Partial<ProjectFacts> = {}): ProjectFacts => ({
  visibility,
  publicJobs: false,
  buildsAccessLevel: 'enabled',
  archived: false,
  ...more,
});

const status = (action: ProjectAction, viewer: Viewer, facts: ProjectFacts | undefined, owner?: number | null) =>
  refusalFor(action, viewer, facts, owner)?.status ?? 200;

const levels = [
  AccessLevel.Guest,
  AccessLevel.Reporter,
  AccessLevel.Developer,
  AccessLevel.Maintainer,
  AccessLevel.Owner,
];

/** Columns: anonymous, signed in but no member, Guest, Reporter, Developer, Maintainer, Owner. */
const matrix: Record<ProjectAction, { private: number[]; public: number[]; publicJobs?: number[] }> = {
  'read-project': { private: [404, 404, 200, 200, 200, 200, 200], public: [200, 200, 200, 200, 200, 200, 200] },
  'read-repository': { private: [404, 404, 403, 200, 200, 200, 200], public: [200, 200, 200, 200, 200, 200, 200] },
  'edit-project': { private: [401, 404, 403, 403, 403, 200, 200], public: [401, 403, 403, 403, 403, 200, 200] },
  'delete-project': { private: [401, 404, 403, 403, 403, 403, 200], public: [401, 403, 403, 403, 403, 403, 200] },
  'read-members': { private: [404, 404, 200, 200, 200, 200, 200], public: [200, 200, 200, 200, 200, 200, 200] },
  'manage-members': { private: [401, 404, 403, 403, 403, 200, 200], public: [401, 403, 403, 403, 403, 200, 200] },
  'manage-variables': { private: [401, 404, 403, 403, 403, 200, 200], public: [401, 403, 403, 403, 403, 200, 200] },
  'manage-protected-refs': {
    private: [401, 404, 403, 403, 403, 200, 200],
    public: [401, 403, 403, 403, 403, 200, 200],
  },
  'manage-runners': { private: [401, 404, 403, 403, 403, 200, 200], public: [401, 403, 403, 403, 403, 200, 200] },
  'lint-configuration': { private: [401, 404, 403, 403, 200, 200, 200], public: [401, 403, 403, 403, 200, 200, 200] },
  'read-pipelines': {
    private: [404, 404, 403, 200, 200, 200, 200],
    public: [403, 403, 403, 200, 200, 200, 200],
    publicJobs: [200, 200, 200, 200, 200, 200, 200],
  },
  'read-jobs': {
    private: [401, 404, 403, 200, 200, 200, 200],
    public: [401, 403, 403, 200, 200, 200, 200],
    publicJobs: [401, 200, 200, 200, 200, 200, 200],
  },
  'read-debug-traces': { private: [401, 404, 403, 403, 200, 200, 200], public: [401, 403, 403, 403, 200, 200, 200] },
  'read-pipeline-variables': {
    private: [404, 404, 403, 403, 403, 200, 200],
    public: [403, 403, 403, 403, 403, 200, 200],
  },
  'create-pipeline': { private: [401, 404, 403, 403, 200, 200, 200], public: [401, 403, 403, 403, 200, 200, 200] },
  'update-pipeline': { private: [401, 404, 403, 403, 200, 200, 200], public: [401, 403, 403, 403, 200, 200, 200] },
  'delete-pipeline': { private: [401, 404, 403, 403, 403, 403, 200], public: [401, 403, 403, 403, 403, 403, 200] },
  'update-job': { private: [401, 404, 403, 403, 200, 200, 200], public: [401, 403, 403, 403, 200, 200, 200] },
  'erase-job': { private: [401, 404, 403, 403, 403, 200, 200], public: [401, 403, 403, 403, 403, 200, 200] },
  'manage-triggers': { private: [401, 404, 403, 403, 403, 200, 200], public: [401, 403, 403, 403, 403, 200, 200] },
  'update-trigger': { private: [401, 404, 200, 200, 200, 200, 200], public: [401, 200, 200, 200, 200, 200, 200] },
};

const viewers = [anonymous, user(0), ...levels.map((level) => user(level))];
/** What somebody else started. */
const others = 99;
const row = (action: ProjectAction, facts: ProjectFacts) =>
  viewers.map((viewer) => status(action, viewer, facts, others));

describe.each(projectActions)('%s', (action) => {
  const expected = matrix[action];
  it('private', () => expect(row(action, project('private'))).toEqual(expected.private));
  it('private with public jobs: members alone see more', () => {
    const open = expected.publicJobs ?? expected.private;
    expect(row(action, project('private', { publicJobs: true }))).toEqual([
      ...expected.private.slice(0, 2),
      ...open.slice(2),
    ]);
  });
  it('internal: private for nobody, public for anybody signed in', () => {
    expect(row(action, project('internal'))).toEqual([expected.private[0], ...expected.public.slice(1)]);
  });
  it('public', () => expect(row(action, project('public'))).toEqual(expected.public));
  it('public with public jobs', () => {
    expect(row(action, project('public', { publicJobs: true }))).toEqual(expected.publicJobs ?? expected.public);
  });
  it('no such project', () => {
    const nobody = needsCredentials(action) ? 401 : 404;
    expect(viewers.map((viewer) => status(action, viewer, undefined))).toEqual([nobody, 404, 404, 404, 404, 404, 404]);
  });
});

it('has the exact bodies', () => {
  const body = (viewer: Viewer, action: ProjectAction) => refusalFor(action, viewer, project('private'))?.body;
  expect(body(anonymous, 'manage-triggers')).toEqual({ message: '401 Unauthorized' });
  expect(body(anonymous, 'read-pipelines')).toEqual({ message: '404 Project Not Found' });
  expect(body(user(0), 'manage-triggers')).toEqual({ message: '404 Project Not Found' });
  expect(body(user(30), 'manage-triggers')).toEqual({ message: '403 Forbidden' });
});

it.each(['read-pipeline-variables', 'erase-job'] as const)(
  '%s: Developers for what they started themselves',
  (action) => {
    const facts = project('private');
    expect(status(action, user(30), facts, 7)).toBe(200);
    expect(status(action, user(30), facts, 8)).toBe(403);
    expect(status(action, user(30), facts, null)).toBe(403);
    expect(status(action, user(20), facts, 7)).toBe(403);
    expect(status(action, user(40), facts, 8)).toBe(200);
    // The door does not know yet whose it is.
    expect(status(action, user(30), facts)).toBe(200);
    expect(status(action, user(20), facts)).toBe(403);
  },
);

describe('CI/CD switched off', () => {
  const ci = projectActions.filter((action) => /pipeline|job|trace|manage-triggers/.test(action));
  it.each(ci)('%s is there for nobody', (action) => {
    expect(status(action, user(50), project('public', { buildsAccessLevel: 'disabled', publicJobs: true }))).toBe(403);
  });
  it.each(ci)('%s: for members only', (action) => {
    const facts = project('public', { buildsAccessLevel: 'private', publicJobs: true });
    expect(status(action, user(50), facts)).toBe(200);
    expect(status(action, user(0), facts)).toBe(403);
  });
  it('leaves the rest of the project alone', () => {
    expect(status('edit-project', user(40), project('private', { buildsAccessLevel: 'disabled' }))).toBe(200);
  });
});

it('an archived project is read, and starts nothing', () => {
  const archived = project('private', { archived: true });
  const refused = projectActions.filter((action) => status(action, user(50), archived) === 403);
  expect(refused).toEqual([
    'create-pipeline',
    'update-pipeline',
    'delete-pipeline',
    'update-job',
    'erase-job',
    'manage-triggers',
  ]);
});

describe('the viewer as seen from a project', () => {
  it.each<[string, Viewer, number]>([
    ['nobody', anonymous, 0],
    ['a member', user(0, { memberships: { 1: 30 } }), 30],
    ['a member elsewhere', user(0, { memberships: { 2: 30 } }), 0],
    ['an administrator', user(0, { admin: true }), 50],
    ['a job of the project', job(0), 20],
    ['a job of another', { ...job(0), projectId: 2 }, 0],
  ])('%s', (_, viewer, level) => expect(onProject(viewer, 1).level).toBe(level));

  it('a job sees public projects, and private ones only from inside', () => {
    expect(mayRead(job(0), project('public'))).toBe(true);
    expect(mayRead(job(0), project('internal'))).toBe(false);
    expect(mayRead(job(20), project('private'))).toBe(true);
  });
});
