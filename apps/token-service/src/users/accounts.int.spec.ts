import { randomUUID } from 'node:crypto';
import {
  AccessLevel,
  AddMember,
  CreateAccessToken,
  CreateUser,
  EnsureRoot,
  ListMembers,
  ListUsers,
  MakeOwner,
  RevokeAccessToken,
  SetUserState,
  ShowActor,
  UserChanged,
} from '#libs/contracts';
import { as, hashOf, join, newUser } from '../testing/people.js';
import { type RunningTokenService, startTokenService } from '../testing/token-service.js';

describe.each(['in process', 'RabbitMQ'] as const)('accounts, %s', (transport) => {
  let service: RunningTokenService;

  beforeAll(async () => {
    service = await startTokenService(transport);
  });

  afterAll(() => service.stop());

  const credentials = async (secret: string) =>
    service.database.query(
      'select username, admin, state, revoked, expires_at, scopes from tokens.access_credentials where token_hash = $1',
      [Buffer.from(hashOf(secret), 'hex')],
    );
  const ensureRoot = (secret: string) =>
    service.ask(EnsureRoot, { tokenHash: hashOf(secret), visible: secret.slice(-4) });
  const rootsToken = {
    username: 'root',
    admin: true,
    state: 'active',
    revoked: false,
    expires_at: null,
    scopes: ['api'],
  };

  describe('the first administrator', () => {
    test('is made once, however many gateways start at the same moment', async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => ensureRoot('first')));
      expect(new Set(answers.map(({ userId }) => userId)).size).toBe(1);
      expect(await credentials('first')).toEqual([rootsToken]);
      const users = await service.ask(ListUsers, { username: 'root', page: 1, perPage: 20 });
      expect(users.total).toBe(1);
    });

    test('has the newest root token alone, and keeps other tokens', async () => {
      const { userId } = await ensureRoot('first');
      await service.ask(CreateAccessToken, {
        requestId: randomUUID(),
        userId,
        name: 'other',
        scopes: ['api'],
        tokenHash: hashOf('other'),
        visible: 'ther',
      });
      await ensureRoot('second');
      expect(await credentials('first')).toEqual([]);
      expect(await credentials('second')).toEqual([rootsToken]);
      expect(await credentials('other')).toEqual([rootsToken]);
    });

    test('gets back in whatever has happened', async () => {
      const { userId } = await ensureRoot('third');
      const [{ token_id: tokenId }] = await service.database.query(
        'select token_id from tokens.access_credentials where token_hash = $1',
        [Buffer.from(hashOf('third'), 'hex')],
      );
      const [root] = (await service.ask(ListUsers, { username: 'root', page: 1, perPage: 1 })).items;
      await service.ask(RevokeAccessToken, { actor: as(root!, 0), tokenId });
      await service.ask(SetUserState, { userId, state: 'blocked' });
      expect(await credentials('third')).toMatchObject([{ revoked: true, state: 'blocked' }]);
      await ensureRoot('third');
      expect(await credentials('third')).toEqual([rootsToken]);
    });
  });

  test('a user, a token and a member that are asked for twice are there once', async () => {
    const user = {
      requestId: randomUUID(),
      username: 'twice',
      name: 'Twice',
      email: 'twice@example.com',
      admin: false,
    };
    const [first, second] = [await service.ask(CreateUser, user), await service.ask(CreateUser, user)];
    expect(second).toEqual(first);

    const token = {
      requestId: randomUUID(),
      userId: first.id,
      name: 'n',
      scopes: ['api' as const],
      tokenHash: hashOf('twice'),
      visible: 'wice',
    };
    expect(await service.ask(CreateAccessToken, token)).toEqual(await service.ask(CreateAccessToken, token));

    const member = {
      requestId: randomUUID(),
      projectId: 5,
      actor: as(first, AccessLevel.Owner),
      userId: first.id,
      accessLevel: AccessLevel.Developer,
    };
    expect(await service.ask(AddMember, member)).toEqual(await service.ask(AddMember, member));
    await expect(service.ask(AddMember, { ...member, requestId: randomUUID() })).rejects.toMatchObject({ status: 409 });
  });

  test('the same request at the same moment makes one row too', async () => {
    const user = { requestId: randomUUID(), username: 'racer', name: 'R', email: 'racer@example.com', admin: false };
    const made = await Promise.all(Array.from({ length: 6 }, () => service.ask(CreateUser, user)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
  });

  test('an Owner is made again and again', async () => {
    const user = await newUser(service, 'creator');
    await join(service, 6, user, AccessLevel.Guest);
    for (let times = 0; times < 2; times++) {
      expect(await service.ask(MakeOwner, { projectId: 6, userId: user.id })).toMatchObject({ accessLevel: 50 });
    }
    await expect(service.ask(MakeOwner, { projectId: 6, userId: 999_999 })).rejects.toMatchObject({ status: 404 });
  });

  test('an ended membership is none, and can begin anew', async () => {
    const user = await newUser(service, 'seasonal');
    await join(service, 7, user, AccessLevel.Maintainer);
    await service.database.query('update tokens.members set expires_at = now() where project_id = 7');
    const list = () => service.ask(ListMembers, { projectId: 7, page: 1, perPage: 20 });
    const actor = () => service.ask(ShowActor, { userId: user.id, projectId: 7 });
    expect(await list()).toEqual({ items: [], total: 0 });
    expect(await actor()).toEqual(as(user, AccessLevel.None));
    await join(service, 7, user, AccessLevel.Reporter);
    expect(await list()).toMatchObject({ items: [{ accessLevel: 20, expiresAt: null }], total: 1 });
    expect(await actor()).toEqual(as(user, AccessLevel.Reporter));
    expect(await service.ask(ShowActor, { userId: 999_999, projectId: 7 })).toBeNull();
  });

  test('what happens to users is written down to be said in the same transaction', async () => {
    const user = await newUser(service, 'changing');
    await service.ask(SetUserState, { userId: user.id, state: 'blocked' });
    // Nobody listens in this test, so that what was said is still there to be read.
    const said: { data: UserChanged }[] = (
      await service.database.query(`select messages from tokens.outbox where type = $1 order by id`, [UserChanged.type])
    ).flatMap(({ messages }: { messages: { data: UserChanged }[] }) => messages);
    expect(said.map(({ data }) => data).filter(({ userId }) => userId === user.id)).toMatchObject([
      { username: 'changing', state: 'active' },
      { username: 'changing', state: 'blocked' },
    ]);
  });
});
