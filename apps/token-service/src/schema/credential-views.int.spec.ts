import { AccessLevel, CreateAccessToken } from '#libs/contracts';
import { randomUUID } from 'node:crypto';
import { as, hashOf, join, newTrigger, newUser } from '../testing/people.js';
import { type RunningTokenService, startTokenService } from '../testing/token-service.js';

interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Plans?: Plan[];
}

let service: RunningTokenService;

beforeAll(async () => {
  service = await startTokenService('in process');
  // Enough rows that the planner would not read whole tables for want of anything better.
  await service.database.query(
    `insert into tokens.users (username, name) select 'user' || number, 'n' from generate_series(1, 5000) as number`,
  );
  await service.database.query(
    `insert into tokens.members (project_id, user_id, access_level) select id % 100, id, 40 from tokens.users`,
  );
  await service.database.query(
    `insert into tokens.triggers (request_id, project_id, owner_id, token_hash, short_token)
     select gen_random_uuid(), id % 100, id, sha256(username::bytea), 'aaaa' from tokens.users`,
  );
  await service.database.query(
    `insert into tokens.access_tokens (user_id, name, scopes, token_hash, visible)
     select id, 'n', '{api}', sha256(username::bytea), 'aaaa' from tokens.users`,
  );
  await service.database.query('analyze tokens.users, tokens.members, tokens.triggers, tokens.access_tokens');
});

afterAll(() => service.stop());

/** How each table is reached by a read of the view for two tokens at once. */
async function accessPaths(view: string): Promise<Record<string, string[]>> {
  const [{ 'QUERY PLAN': explained }]: [{ 'QUERY PLAN': [{ Plan: Plan }] }] = await service.database.query(
    `explain (format json) select * from ${view} where token_hash = any($1)`,
    [[Buffer.alloc(32), Buffer.alloc(32, 1)]],
  );
  const paths: Record<string, string[]> = {};
  const visit = (plan: Plan, indexAbove?: string): void => {
    const index = plan['Index Name'] ?? indexAbove;
    const table = plan['Relation Name'];
    if (table) (paths[table] ??= []).push(index ?? plan['Node Type']);
    for (const inner of plan.Plans ?? []) {
      if (plan['Node Type'] === 'Bitmap Heap Scan' && table) paths[table] = [inner['Index Name'] ?? inner['Node Type']];
      visit(inner);
    }
  };
  visit(explained[0].Plan);
  return paths;
}

test('trigger credentials are read through indexes from the hash on', async () => {
  expect(await accessPaths('tokens.trigger_credentials')).toEqual({
    triggers: ['triggers_token_hash_key'],
    users: ['users_pkey'],
    members: ['members_user'],
  });
});

test('access credentials are read through indexes from the hash on', async () => {
  expect(await accessPaths('tokens.access_credentials')).toEqual({
    access_tokens: ['access_tokens_token_hash_key'],
    users: ['users_pkey'],
    members: ['members_user'],
  });
});

test('an administrator is an Owner everywhere, an ended membership is none', async () => {
  const root = await newUser(service, 'boss', true);
  const ada = await newUser(service, 'ada');
  await join(service, 7, ada, AccessLevel.Maintainer);
  const triggers = [await newTrigger(service, 7, as(root, 50)), await newTrigger(service, 7, as(ada, 40))];
  const levels = async () => {
    const rows: { owner_id: number; owner_access_level: number }[] = await service.database.query(
      'select owner_id, owner_access_level from tokens.trigger_credentials where token_hash = any($1) order by owner_id',
      [triggers.map(({ secret }) => Buffer.from(hashOf(secret), 'hex'))],
    );
    return rows.map((row) => row.owner_access_level);
  };
  expect(await levels()).toEqual([50, 40]);
  await service.database.query('update tokens.members set expires_at = now() where user_id = $1', [ada.id]);
  expect(await levels()).toEqual([50, 0]);
});

test('what the gateway learns from an access token', async () => {
  const user = await newUser(service, 'grace');
  await join(service, 8, user, AccessLevel.Developer);
  await join(service, 9, user, AccessLevel.Owner);
  await service.database.query(
    'insert into tokens.members (project_id, user_id, access_level, expires_at) values (10, $1, 40, now())',
    [user.id],
  );
  const { id } = await service.ask(CreateAccessToken, {
    requestId: randomUUID(),
    userId: user.id,
    name: 'laptop',
    scopes: ['api', 'read_api'],
    expiresAt: null,
    tokenHash: hashOf('glpat-x'),
    visible: 'x',
  });
  const hash = Buffer.from(hashOf('glpat-x'), 'hex');
  expect(
    await service.database.query('select * from tokens.access_credentials where token_hash = any($1)', [[hash]]),
  ).toEqual([
    {
      token_hash: hash,
      token_id: id,
      scopes: ['api', 'read_api'],
      expires_at: null,
      revoked: false,
      user_id: user.id,
      username: 'grace',
      name: 'The grace',
      email: 'grace@example.com',
      state: 'active',
      admin: false,
      user_created_at: new Date(user.createdAt),
      memberships: { '8': 30, '9': 50 },
    },
  ]);
});
