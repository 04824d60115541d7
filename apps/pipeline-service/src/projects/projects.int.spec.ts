import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CreateProject,
  CreateVariable,
  DeleteProject,
  EditProject,
  ListProjects,
  type MakeOwner,
  ProtectBranch,
  Refusal,
  ShowProject,
} from '#libs/contracts';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { newActor, type RunningService, startService } from '../testing/running-service.js';
import { ProjectReader } from './project-reader.js';
import { ProjectSweeper } from './project-sweeper.js';

const root = newActor();
const alice = newActor({ id: 7, username: 'alice', name: 'Alice', admin: false, accessLevel: 0 });

const creation = (fields: Partial<CreateProject> = {}): Omit<CreateProject, 'replyType'> => ({
  requestId: randomUUID(),
  actor: alice,
  ...fields,
});

async function refusal(answer: Promise<unknown>): Promise<[number, unknown]> {
  const error = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Refusal)) throw new Error(`no refusal but ${String(error)}`);
  return [error.status, error.body];
}

describe('projects', () => {
  let running: RunningService;
  let ownerAnswers: (order: MakeOwner) => unknown = () => ({});

  beforeAll(async () => {
    running = await startService('projects', { makeOwner: (order) => ownerAnswers(order) });
  });
  afterAll(() => running.stop());
  afterEach(() => (ownerAnswers = () => ({})));

  const stateOf = async (projectId: number): Promise<string | undefined> => {
    const rows: { state: string }[] = await running.database.query(
      'select state from pipelines.projects where id = $1',
      [projectId],
    );
    return rows[0]?.state;
  };

  it('creates a project in the creator’s own namespace and makes them its Owner', async () => {
    const project = await running.ask(CreateProject, creation({ path: 'first' }));
    expect(project).toMatchObject({
      name: 'first',
      fullPath: 'alice/first',
      namespace: { path: 'alice', fullPath: 'alice', kind: 'user', parentId: null },
      owner: { id: 7, username: 'alice' },
      creatorId: 7,
      visibility: 'private',
      publicJobs: true,
      buildsAccessLevel: 'enabled',
      pipelineVariablesRole: 'developer',
      defaultBranch: 'main',
      importUrl: null,
      archived: false,
    });
    expect(running.owners).toContainEqual([project.id, 7]);
    expect(await running.ask(ShowProject, { projectId: project.id })).toEqual(project);
  });

  it('makes one project of one request, however often it comes', async () => {
    const order = creation({ path: 'repeated' });
    const created = await Promise.all([running.ask(CreateProject, order), running.ask(CreateProject, order)]);
    const again = await running.ask(CreateProject, order);
    expect(created.map(({ id }) => id)).toEqual([again.id, again.id]);
  });

  it('takes user and password out of the import URL and keeps them sealed', async () => {
    const project = await running.ask(
      CreateProject,
      creation({ path: 'sealed', importUrl: 'https://bot:s%3Acret@git.example.invalid/x.git', defaultBranch: 'trunk' }),
    );
    expect(project.importUrl).toBe('https://git.example.invalid/x.git');
    const [row] = await running.database.query('select * from pipelines.projects where id = $1', [project.id]);
    expect(JSON.stringify(row)).not.toContain('cret');
    const loaded = await running.service.get(ProjectReader).load([project.id]);
    expect(loaded.get(project.id)?.address).toEqual({
      projectId: project.id,
      url: 'https://git.example.invalid/x.git',
      credentials: { username: 'bot', password: 's:cret' },
    });
  });

  it('leaves no project behind when the token service is away', async () => {
    const lonely = await startService('projects_lonely', { makeOwner: null });
    try {
      expect(await refusal(lonely.ask(CreateProject, creation({ path: 'x' })))).toEqual([
        503,
        { message: '503 Service Unavailable' },
      ]);
      lonely.service.get(ProjectSweeper).wake();
      await until('the rows to be gone', async () => {
        const rows = await lonely.database.query('select from pipelines.projects');
        return rows.length === 0;
      });
    } finally {
      await lonely.stop();
    }
  });

  describe('the sweeper', () => {
    /** A project as a process leaves it that was killed after the first step. */
    const abandoned = async (path: string): Promise<number> => {
      const project = await running.ask(CreateProject, creation({ path }));
      await running.database.query(
        `update pipelines.projects set state = 'creating', default_branch = null, updated_at = now() - interval '2 minutes' where id = $1`,
        [project.id],
      );
      return project.id;
    };

    it('finishes a creation that stopped half way', async () => {
      const projectId = await abandoned('half');
      running.owners.length = 0;
      await running.service.get(ProjectSweeper).sweep();
      expect(await running.ask(ShowProject, { projectId })).toMatchObject({ defaultBranch: 'main' });
      expect(running.owners).toEqual([[projectId, 7]]);
    });

    it('leaves a young creation to its process', async () => {
      const projectId = await abandoned('young');
      await running.database.query('update pipelines.projects set updated_at = now() where id = $1', [projectId]);
      await running.service.get(ProjectSweeper).sweep();
      expect(await stateOf(projectId)).toBe('creating');
    });

    it('removes a project whose creator is gone', async () => {
      const projectId = await abandoned('orphan');
      ownerAnswers = () => {
        throw new Refusal(404, { message: '404 User Not Found' });
      };
      running.service.get(ProjectSweeper).wake();
      await until('it to be gone', async () => (await stateOf(projectId)) === undefined);
      expect(await refusal(running.ask(ShowProject, { projectId }))).toEqual([
        404,
        { message: '404 Project Not Found' },
      ]);
    });
  });

  describe('deleting', () => {
    it('hides the project at once, then removes it and gives its path back', async () => {
      const project = await running.ask(CreateProject, creation({ path: 'gone' }));
      await running.database.query(
        `insert into pipelines.pipelines (project_id, iid, source, ref, tag, protected, sha, commit, status, variables, created_at, updated_at)
         select $1, number, 'api', 'main', false, false, '', '{}', 'success', '[]', now(), now() from generate_series(1, 450) number`,
        [project.id],
      );
      await running.ask(DeleteProject, { projectId: project.id });
      expect(await refusal(running.ask(ShowProject, { projectId: project.id }))).toEqual([
        404,
        { message: '404 Project Not Found' },
      ]);
      const next = await running.ask(CreateProject, creation({ path: 'gone' }));
      expect(next.fullPath).toBe('alice/gone');
      await until('its rows to be gone', async () => (await stateOf(project.id)) === undefined);
    });

    it('answers 404 for what is not there', async () => {
      expect(await refusal(running.ask(DeleteProject, { projectId: 987_654 }))).toEqual([
        404,
        { message: '404 Project Not Found' },
      ]);
    });
  });

  describe('editing', () => {
    it('leaves a former path behind, which a newer project may take', async () => {
      const project = await running.ask(CreateProject, creation({ path: 'old-name' }));
      const renamed = await running.ask(EditProject, { projectId: project.id, actor: alice, path: 'new-name' });
      expect(renamed).toMatchObject({ path: 'new-name', fullPath: 'alice/new-name', name: 'old-name' });
      const addresses = 'select path, current from pipelines.project_addresses where project_id = $1 order by current';
      expect(await running.database.query(addresses, [project.id])).toEqual([
        { path: 'alice/old-name', current: false },
        { path: 'alice/new-name', current: true },
      ]);
      expect(await refusal(running.ask(CreateProject, creation({ name: 'old-name' })))).toEqual([
        400,
        { message: { name: ['has already been taken'] } },
      ]);
      await running.ask(CreateProject, creation({ path: 'OLD-name', name: 'another' }));
      expect(await running.database.query(addresses, [project.id])).toEqual([
        { path: 'alice/new-name', current: true },
      ]);
    });

    it('comes back to a former path of its own', async () => {
      const project = await running.ask(CreateProject, creation({ path: 'there' }));
      await running.ask(EditProject, { projectId: project.id, actor: alice, path: 'and' });
      const back = await running.ask(EditProject, { projectId: project.id, actor: alice, path: 'there' });
      expect(back.fullPath).toBe('alice/there');
    });

    it('changes what is given and nothing else', async () => {
      const project = await running.ask(
        CreateProject,
        creation({ path: 'edited', description: 'before', visibility: 'public' }),
      );
      const edited = await running.ask(EditProject, {
        projectId: project.id,
        actor: alice,
        description: 'after',
        ciConfigPath: 'ci/main.yml',
        pipelineVariablesRole: 'maintainer',
        archived: true,
      });
      expect(edited).toEqual({
        ...project,
        description: 'after',
        ciConfigPath: 'ci/main.yml',
        pipelineVariablesRole: 'maintainer',
        archived: true,
        updatedAt: edited.updatedAt,
        lastActivityAt: edited.lastActivityAt,
      });
    });

    it('drops credentials together with the URL they were for', async () => {
      const project = await running.ask(
        CreateProject,
        creation({
          path: 'moved-repository',
          importUrl: 'https://u:p@git.example.invalid/a.git',
          defaultBranch: 'main',
        }),
      );
      await running.ask(EditProject, {
        projectId: project.id,
        actor: alice,
        importUrl: 'https://git.example.invalid/b.git',
      });
      const loaded = await running.service.get(ProjectReader).load([project.id]);
      expect(loaded.get(project.id)?.address).toEqual({
        projectId: project.id,
        url: 'https://git.example.invalid/b.git',
      });
    });
  });

  describe('local repositories', () => {
    it('may be named by administrators, and by others below a root', async () => {
      await mkdir(running.root, { recursive: true });
      const inRoot = creation({ path: 'in-root', importUrl: join(running.root, 'a.git') });
      expect(await running.ask(CreateProject, inRoot)).toMatchObject({ importUrl: join(running.root, 'a.git') });
      const elsewhere = { importUrl: 'file:///srv/git/a.git' };
      expect(await refusal(running.ask(CreateProject, creation({ path: 'elsewhere', ...elsewhere })))).toEqual([
        400,
        {
          message: {
            import_url: [
              'is blocked: only administrators may use a path on the server that is not below REPOSITORY_ROOTS',
            ],
          },
        },
      ]);
      await running.ask(CreateProject, creation({ path: 'elsewhere', actor: root, ...elsewhere }));
    });

    it('never lie in a forbidden directory', async () => {
      const importUrl = join(running.config.cacheDir, '1.git');
      const [status] = await refusal(running.ask(CreateProject, creation({ path: 'cache', actor: root, importUrl })));
      expect(status).toBe(400);
    });
  });

  it('lists what somebody may see', async () => {
    const path = `listed-${randomUUID()}`;
    for (const visibility of ['public', 'internal', 'private'] as const)
      await running.ask(CreateProject, creation({ path: `${path}-${visibility}`, visibility }));
    const names = async (query: Partial<ListProjects>): Promise<string[]> => {
      const page = await running.ask(ListProjects, {
        memberOf: [], search: path, orderBy: 'name', sort: 'asc', page: 1, perPage: 20, ...query,
      }); // prettier-ignore
      expect(page.total).toBe(page.items.length);
      return page.items.map(({ name }) => name.slice(path.length + 1));
    };
    const bob = newActor({ id: 8, username: 'bob', admin: false });
    const all = await running.ask(ListProjects, {
      actor: root, memberOf: [], search: path, orderBy: 'id', sort: 'asc', page: 1, perPage: 20,
    }); // prettier-ignore
    const [publicId, internalId, privateId] = all.items.map(({ id }) => id) as [number, number, number];
    expect(await names({})).toEqual(['public']);
    expect(await names({ actor: bob })).toEqual(['internal', 'public']);
    expect(await names({ actor: bob, memberOf: [privateId] })).toEqual(['internal', 'private', 'public']);
    expect(await names({ actor: root, sort: 'desc' })).toEqual(['public', 'private', 'internal']);
    expect(await names({ actor: root, only: [internalId] })).toEqual(['internal']);
    expect(await names({ actor: bob, only: [privateId] })).toEqual([]);
    expect(await names({ actor: root, search: `ALICE/${path.toUpperCase()}-pub` })).toEqual(['public']);
    expect(await names({ actor: root, search: '%' })).toEqual([]);
    expect(publicId).toBeGreaterThan(0);
  });

  describe('ProjectReader', () => {
    it('reads in one statement what creation needs of many projects', async () => {
      const project = await running.ask(CreateProject, creation({ path: 'read', name: 'Read Me' }));
      const other = await running.ask(CreateProject, creation({ path: 'read-too' }));
      const variable = {
        variableType: 'env_var',
        protected: true,
        masked: true,
        hidden: false,
        raw: false,
        environmentScope: '*',
      } as const;
      await running.ask(CreateVariable, { projectId: project.id, key: 'TOKEN', value: 'top-secret-1', ...variable });
      await running.ask(ProtectBranch, {
        projectId: project.id, name: 'release/*', pushAccessLevel: 40, mergeAccessLevel: 30, allowForcePush: false,
      }); // prettier-ignore
      const loaded = await running.service.get(ProjectReader).load([project.id, other.id, project.id, 999_999]);
      expect([...loaded.keys()].sort((a, b) => a - b)).toEqual([project.id, other.id]);
      expect(loaded.get(project.id)).toEqual({
        id: project.id,
        path: 'alice/read',
        slug: 'read',
        name: 'Read Me',
        description: null,
        namespace: { id: project.namespace.id, path: 'alice', kind: 'user' },
        visibility: 'private',
        state: 'active',
        archived: false,
        publicJobs: true,
        buildsAccessLevel: 'enabled',
        pipelineVariablesRole: 'developer',
        defaultBranch: 'main',
        ciConfigPath: null,
        timeoutSeconds: 3_600,
        gitDepth: 20,
        address: null,
        variables: [
          {
            key: 'TOKEN',
            value: 'top-secret-1',
            variableType: 'env_var',
            protected: true,
            masked: true,
            raw: false,
            environmentScope: '*',
          },
        ],
        protection: { branches: [{ name: 'release/*', pushAccessLevel: 40, mergeAccessLevel: 30 }], tags: [] },
        pipelineLimitPerProjectUserSha: 0,
      });
      expect(loaded.get(other.id)).toMatchObject({ variables: [], protection: { branches: [], tags: [] } });
    });

    it('and the gateway’s look-ups, use indexes', async () => {
      const lookUps = [
        `select * from pipelines.project_addresses where lower(path) = any(array['alice/read', 'b/c'])`,
        `select * from pipelines.project_addresses where project_id = any(array[1, 2]::bigint[]) and current`,
      ];
      for (const statement of lookUps) {
        const plan = await running.database.transaction(async (manager) => {
          await manager.query('set local enable_seqscan = off');
          return JSON.stringify(await manager.query(`explain ${statement}`));
        });
        expect(plan).toMatch(/Index/);
        expect(plan).not.toMatch(/Seq Scan/);
      }
    });
  });
});
