import { randomUUID } from 'node:crypto';
import {
  AccessLevel,
  type AccountFacts,
  DeleteTrigger,
  DeleteUser,
  ListTriggers,
  PipelineCreated,
  PipelineDeleted,
  ProjectDeleted,
  SetUserState,
  ShowTrigger,
  UpdateTrigger,
} from '#libs/contracts';
import { pino } from 'pino';
import { Outbox } from '#libs/persistence';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { as, hashOf, join, newTrigger, newUser } from '../testing/people.js';
import { type RunningTokenService, startTokenService } from '../testing/token-service.js';
import { purgeExpiredTriggers } from './expired-triggers.js';

const { Developer, Maintainer, Owner } = AccessLevel;

describe.each(['in process', 'RabbitMQ'] as const)('trigger tokens, %s', (transport) => {
  let service: RunningTokenService;
  let ada: AccountFacts;
  let grace: AccountFacts;
  let project = 0;

  beforeAll(async () => {
    service = await startTokenService(transport);
    ada = await newUser(service, 'ada');
    grace = await newUser(service, 'grace');
  });

  afterAll(() => service.stop());

  beforeEach(async () => {
    project += 1;
    await join(service, project, ada, Maintainer);
  });

  const credentials = (secret: string) =>
    service.database.query('select * from tokens.trigger_credentials where token_hash = any($1)', [
      [Buffer.from(hashOf(secret), 'hex')],
    ]);

  test('the one that was made is told, and its hash authenticates', async () => {
    const expiresAt = new Date(Date.now() + 30 * 86_400_000).toISOString();
    const trigger = await newTrigger(service, project, as(ada, Maintainer), { expiresAt });
    expect(trigger).toMatchObject({
      projectId: project,
      description: 'nightly',
      shortToken: trigger.secret.slice(6, 10),
      sealedToken: null,
      lastUsed: null,
      expiresAt,
      owner: { id: ada.id, username: 'ada', name: 'The ada', state: 'active' },
    });
    expect(trigger.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(await credentials(trigger.secret)).toEqual([
      {
        token_hash: Buffer.from(hashOf(trigger.secret), 'hex'),
        trigger_id: trigger.id,
        project_id: project,
        short_token: trigger.shortToken,
        expires_at: new Date(expiresAt),
        owner_id: ada.id,
        owner_username: 'ada',
        owner_name: 'The ada',
        owner_email: 'ada@example.com',
        owner_state: 'active',
        owner_admin: false,
        owner_created_at: expect.any(Date),
        owner_access_level: Maintainer,
      },
    ]);
  });

  test('a request that is delivered twice adds one', async () => {
    const requestId = randomUUID();
    const first = await newTrigger(service, project, as(ada, Maintainer), { requestId });
    const second = await newTrigger(service, project, as(ada, Maintainer), { requestId });
    expect(second.id).toBe(first.id);
    const { total } = await service.ask(ListTriggers, {
      projectId: project,
      actor: as(ada, Maintainer),
      page: 1,
      perPage: 20,
    });
    expect(total).toBe(1);
  });

  test('only the owner who is still a Maintainer is told the sealed token', async () => {
    const { id: triggerId } = await newTrigger(service, project, as(ada, Maintainer), { sealedToken: 'sealed' });
    const seenBy = async (actor: ReturnType<typeof as>) =>
      (await service.ask(ShowTrigger, { projectId: project, triggerId, actor })).sealedToken;
    expect(await seenBy(as(ada, Maintainer))).toBe('sealed');
    expect(await seenBy(as(ada, Developer))).toBeNull();
    expect(await seenBy(as(grace, Owner))).toBeNull();
  });

  test('pages, the oldest first', async () => {
    const actor = as(ada, Maintainer);
    const ids: number[] = [];
    for (const description of ['a', 'b', 'c'])
      ids.push((await newTrigger(service, project, actor, { description })).id);
    const page = (number: number) => service.ask(ListTriggers, { projectId: project, actor, page: number, perPage: 2 });
    expect(await page(1)).toMatchObject({ items: [{ id: ids[0] }, { id: ids[1] }], total: 3 });
    expect(await page(2)).toMatchObject({ items: [{ id: ids[2], description: 'c' }], total: 3 });
    expect(await page(3)).toEqual({ items: [], total: 3 });
  });

  test('a description is changed by its owner alone; left out, it is gone', async () => {
    const { id: triggerId, updatedAt } = await newTrigger(service, project, as(ada, Maintainer));
    const update = (actor: ReturnType<typeof as>, description: string | null) =>
      service.ask(UpdateTrigger, { projectId: project, triggerId, actor, description });
    const refused = {
      status: 403,
      body: { message: '403 Forbidden - The current user is not authorized to update the pipeline trigger token' },
    };
    await expect(update(as(grace, Owner), 'hers')).rejects.toMatchObject(refused);
    await expect(update(as(ada, Developer), 'demoted')).rejects.toMatchObject(refused);
    const updated = await update(as(ada, Maintainer), null);
    expect(updated.description).toBeNull();
    expect(updated.updatedAt > updatedAt).toBe(true);
  });

  test('one of another project is not there', async () => {
    const { id: triggerId } = await newTrigger(service, project, as(ada, Maintainer));
    const elsewhere = { projectId: project + 1_000, triggerId, actor: as(ada, Maintainer) };
    const notFound = { status: 404, body: { message: '404 Not found' } };
    await expect(service.ask(ShowTrigger, elsewhere)).rejects.toMatchObject(notFound);
    await expect(service.ask(UpdateTrigger, { ...elsewhere, description: 'x' })).rejects.toMatchObject(notFound);
    await expect(service.ask(DeleteTrigger, elsewhere)).rejects.toMatchObject(notFound);
  });

  test('a revoked one no longer authenticates once that is answered', async () => {
    const { id: triggerId, secret } = await newTrigger(service, project, as(ada, Maintainer));
    await service.ask(DeleteTrigger, { projectId: project, triggerId });
    expect(await credentials(secret)).toEqual([]);
    await expect(service.ask(DeleteTrigger, { projectId: project, triggerId })).rejects.toMatchObject({ status: 404 });
  });

  test('one that was changed since is not revoked; milliseconds count', async () => {
    const trigger = await newTrigger(service, project, as(ada, Maintainer));
    const order = { projectId: project, triggerId: trigger.id };
    const before = new Date(Date.parse(trigger.updatedAt) - 1).toISOString();
    await expect(service.ask(DeleteTrigger, { ...order, unmodifiedSince: before })).rejects.toMatchObject({
      status: 412,
      body: { message: '412 Precondition Failed' },
    });
    await service.ask(DeleteTrigger, { ...order, unmodifiedSince: trigger.updatedAt });
    expect(await credentials(trigger.secret)).toEqual([]);
  });

  test('the rights of the owner are those of the moment', async () => {
    const { secret } = await newTrigger(service, project, as(ada, Maintainer));
    const rights = async () => {
      const [{ owner_state, owner_access_level }] = await credentials(secret);
      return [owner_state, owner_access_level];
    };
    expect(await rights()).toEqual(['active', Maintainer]);
    await service.ask(SetUserState, { userId: ada.id, state: 'blocked' });
    expect(await rights()).toEqual(['blocked', Maintainer]);
    await service.ask(SetUserState, { userId: ada.id, state: 'active' });
    await service.database.query('delete from tokens.members where project_id = $1', [project]);
    expect(await rights()).toEqual(['active', 0]);
  });

  test('it was last used for the newest pipeline that is still there', async () => {
    const trigger = await newTrigger(service, project, as(ada, Maintainer));
    const shown = { projectId: project, triggerId: trigger.id, actor: as(ada, Maintainer) };
    const created = (pipelineId: number): PipelineCreated => ({
      pipelineId,
      projectId: project,
      triggerId: trigger.id,
      createdAt: at(pipelineId),
    });
    let order = 0;
    const deleted = (pipelineId: number, latest: number | null): PipelineDeleted => ({
      pipelineId,
      projectId: project,
      triggerId: trigger.id,
      latest: latest === null ? null : { pipelineId: latest, createdAt: at(latest) },
      order: ++order,
    });
    const at = (pipelineId: number) => new Date(Date.UTC(2026, 0, 1) + pipelineId * 1_000).toISOString();
    const usedFor = (what: string, pipelineId: number | null) =>
      until(what, async () => {
        const { lastUsed } = await service.ask(ShowTrigger, shown);
        return lastUsed === (pipelineId === null ? null : at(pipelineId));
      });

    await service.say(PipelineCreated, created(11), created(12), created(10));
    await usedFor('the newest of several', 12);
    await service.say(PipelineCreated, created(9));
    const first = [deleted(12, 11), deleted(10, 11)];
    await service.say(PipelineDeleted, ...first);
    await usedFor('the newest that is left', 11);
    // Delivered again, late: neither the deleted pipeline nor the older answer comes back.
    await service.say(PipelineCreated, created(12));
    await service.say(PipelineDeleted, deleted(11, 9), deleted(9, null), ...first);
    await usedFor('nothing, when all are gone', null);
    // The deletion overtakes the creation.
    await service.say(PipelineDeleted, deleted(20, null));
    await service.say(PipelineCreated, created(21), created(20));
    await usedFor('one that is younger than a deleted one', 21);
    // Of two deletions the later one comes first: what the earlier one left is gone by then.
    await service.say(PipelineCreated, created(22), created(23));
    await usedFor('the newest', 23);
    const [earlier, later] = [deleted(23, 22), deleted(22, 21)];
    await service.say(PipelineDeleted, later);
    await service.say(PipelineDeleted, earlier);
    await usedFor('what was left after both', 21);
    await service.say(PipelineCreated, created(24));
    await service.say(PipelineDeleted, earlier, later);
    await usedFor('one that was created since', 24);
    expect((await service.ask(ShowTrigger, shown)).updatedAt).toBe(trigger.updatedAt);
  });

  test('they go with their project, and with their owner', async () => {
    const owner = await newUser(service, `temporary${project}`);
    await join(service, project, owner, Maintainer);
    const ofOwner = await newTrigger(service, project, as(owner, Maintainer));
    await service.ask(DeleteUser, { userId: owner.id });
    expect(await credentials(ofOwner.secret)).toEqual([]);

    const ofProject = await newTrigger(service, project, as(ada, Maintainer));
    await service.say(ProjectDeleted, { projectId: project });
    await until('the trigger is gone', async () => (await credentials(ofProject.secret)).length === 0);
    const members = () => service.database.query('select from tokens.members where project_id = $1', [project]);
    await until('the members are gone', async () => (await members()).length === 0);
  });
});

describe('limits', () => {
  let service: RunningTokenService;
  let ada: AccountFacts;

  beforeAll(async () => {
    service = await startTokenService('in process');
    ada = await newUser(service, 'ada');
  });

  afterAll(() => service.stop());

  test('a token ends within a year', async () => {
    await expect(
      newTrigger(service, 1, as(ada, Maintainer), { expiresAt: new Date(Date.now() + 366 * 86_400_000).toISOString() }),
    ).rejects.toMatchObject({
      status: 400,
      body: {
        message: expect.stringMatching(/^400 Bad request - {"expires_at":\["must be before \d{4}-\d\d-\d\d"\]}$/),
      },
    });
  });

  test('a project has 25,000 at most', async () => {
    await service.database.query(
      `insert into tokens.triggers (request_id, project_id, owner_id, token_hash, short_token)
       select gen_random_uuid(), 2, $1, sha256(number::text::bytea), 'aaaa' from generate_series(1, 24999) as number`,
      [ada.id],
    );
    const requestId = randomUUID();
    await newTrigger(service, 2, as(ada, Maintainer), { requestId });
    await expect(newTrigger(service, 2, as(ada, Maintainer))).rejects.toMatchObject({
      status: 400,
      body: {
        message: '400 Bad request - {"base":["Maximum number of pipeline triggers (25000) exceeded"]}',
      },
    });
    // The last one that fitted may be said again.
    await newTrigger(service, 2, as(ada, Maintainer), { requestId });
  });

  test('those that expired 30 days ago are purged', async () => {
    const age = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
    const kept = await newTrigger(service, 3, as(ada, Maintainer), { expiresAt: age(29) });
    const purged = await newTrigger(service, 3, as(ada, Maintainer), { expiresAt: age(31) });
    const lasting = await newTrigger(service, 3, as(ada, Maintainer));
    const outbox = new Outbox(service.database, 'tokens', service.bus, '/token-service', pino({ level: 'silent' }));
    expect(await purgeExpiredTriggers(outbox)).toBe(1);
    await outbox.stop();
    const { items } = await service.ask(ListTriggers, {
      projectId: 3,
      actor: as(ada, Maintainer),
      page: 1,
      perPage: 20,
    });
    expect(items.map(({ id }) => id)).toEqual([kept.id, lasting.id]);
    expect(purged.id).toBeGreaterThan(kept.id);
  });
});
