import { Controller, Get, Post } from '@nestjs/common';
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import { openDatabase } from '#libs/persistence';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { CurrentViewer, Needs } from '../access/needs.decorator.js';
import type { Viewer } from '../access/viewer.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { gatewaySchema } from '../schema/index.js';
import { addProject, addToken, externalUrl, startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import { Sessions } from './sessions.js';
import { SessionsController } from './sessions.controller.js';

@Controller('projects/:id')
class ProjectController {
  @Get('triggers')
  @Needs('manage-triggers')
  @Endpoint({ summary: 'Triggers' })
  triggers(@CurrentViewer() viewer: Viewer): object {
    return { viewer: viewer.kind, level: viewer.level };
  }

  @Post('triggers')
  @Needs('manage-triggers')
  @Endpoint({ summary: 'Make', success: 201 })
  create(): string[] {
    return [];
  }

  @Post('trigger/pipeline')
  @Needs('nothing')
  @Endpoint({ summary: 'Trigger', success: 201 })
  trigger(): string[] {
    return [];
  }
}

@Controller()
class OtherController {
  @Get('job')
  @Needs('job')
  @Endpoint({ summary: 'Job' })
  job(): string[] {
    return [];
  }
}

let gateway: TestGateway;
let database: DataSource;
const cookieName = '__Host-flagfall_session';

beforeAll(async () => {
  gateway = await startTestGateway([SessionsController, ProjectController, OtherController], 'info');
  ({ database } = gateway);
  const log = pino({ level: 'silent' });
  await (await openDatabase({ url: gateway.databaseUrl }, { ...gatewaySchema, views: [] }, log)).destroy();
  await addProject(database, { id: 1, path: 'group/app' });
});
afterAll(() => gateway.close());
beforeEach(async () => {
  await database.query('truncate tokens.access_credentials, gateway.sessions');
  await addToken(database, { token: 'ada', userId: 1, memberships: { 1: 40 } });
  await addToken(database, { token: 'grace', userId: 2 });
});

async function call(method: string, path: string, headers: Record<string, string> = {}, json?: object) {
  const response = await fetch(`${gateway.url}${path}`, {
    method,
    headers: { ...(json && { 'Content-Type': 'application/json' }), ...headers },
    body: json && JSON.stringify(json),
  });
  const text = await response.text();
  return { status: response.status, body: text ? (JSON.parse(text) as any) : '', headers: response.headers };
}

const fromHere = { 'Sec-Fetch-Site': 'same-origin' };

/** @returns the headers that a browser sends from then on */
async function signIn(token: string, headers: Record<string, string> = {}): Promise<{ Cookie: string }> {
  const { status, headers: answered } = await call('POST', '/-/session', headers, { access_token: token });
  expect(status).toBe(201);
  return { Cookie: answered.get('set-cookie')?.split(';')[0] ?? '' };
}

const change = (change: string) => database.query(`update tokens.access_credentials set ${change} where user_id = 1`);
const triggers = '/api/v4/projects/1/triggers';

describe('signing in', () => {
  it('gives a cookie that scripts do not see, and tells who it is', async () => {
    const { status, body, headers } = await call('POST', '/-/session', fromHere, { access_token: ' ada ' });
    expect(status).toBe(201);
    expect(body).toEqual({
      user: { id: 1, username: 'user1', name: 'User 1', admin: false },
      scopes: ['api'],
      expires_at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(headers.get('set-cookie')).toMatch(
      /^__Host-flagfall_session=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=2592000; Secure$/,
    );
    expect(headers.get('cache-control')).toBe('no-store');
    const session = { Cookie: headers.get('set-cookie')?.split(';')[0] ?? '' };
    expect(await call('GET', '/-/session', session)).toMatchObject({ status: 200, body });
  });

  it('ends no later than the access token', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000);
    await addToken(database, { token: 'short', userId: 3, expiresAt });
    const { body, headers } = await call('POST', '/-/session', {}, { access_token: 'short' });
    expect(body.expires_at).toBe(expiresAt.toISOString());
    expect(headers.get('set-cookie')).toMatch(/Max-Age=3(?:599|600);/);
  });

  it('stores no secret, and writes none into the log', async () => {
    const { Cookie } = await signIn('ada');
    const secret = Cookie.split('=')[1] ?? '';
    const rows: unknown[] = await database.query("select s::text, encode(secret_hash, 'hex') from gateway.sessions s");
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect(gateway.logged.join('')).not.toContain(secret);
  });

  it.each([
    [{}, 400, { error: 'access_token is missing, access_token is empty' }],
    [{ access_token: ' ' }, 400, { error: 'access_token is empty' }],
    [
      { access_token: 'unknown' },
      401,
      { message: 'This is not an access token of this site. Check that all of it was copied.' },
    ],
    [{ access_token: 'revoked' }, 401, { message: 'This access token was revoked.' }],
    [{ access_token: 'expired' }, 401, { message: 'This access token has expired.' }],
    [{ access_token: 'blocked' }, 403, { message: '403 Forbidden - Your account has been blocked.' }],
    [
      { access_token: 'profile' },
      403,
      { message: 'This access token cannot be used to sign in: it needs the scope api or read_api.' },
    ],
  ])('%j is %d', async (json, status, body) => {
    await addToken(database, { token: 'revoked', userId: 4, revoked: true });
    await addToken(database, { token: 'expired', userId: 5, expiresAt: new Date(Date.now() - 1) });
    await addToken(database, { token: 'blocked', userId: 6, state: 'blocked' });
    await addToken(database, { token: 'profile', userId: 7, scopes: ['read_user'] });
    const answer = await call('POST', '/-/session', fromHere, json);
    expect([answer.status, answer.body, answer.headers.get('set-cookie')]).toEqual([status, body, null]);
  });

  it('is not for pages of other sites', async () => {
    for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.example' }] as Record<
      string,
      string
    >[])
      expect(await call('POST', '/-/session', headers, { access_token: 'ada' })).toMatchObject({
        status: 403,
        body: { message: '403 Forbidden - Signing in has to come from a page of this site' },
      });
  });

  it('ends the session that the browser had', async () => {
    const former = await signIn('ada');
    const present = await signIn('grace', former);
    expect((await call('GET', '/-/session', former)).status).toBe(401);
    expect((await call('GET', '/-/session', present)).body.user.username).toBe('user2');
  });
});

describe('a session', () => {
  it('stands for its access token, on every endpoint', async () => {
    const session = await signIn('ada');
    expect(await call('GET', triggers, session)).toMatchObject({ status: 200, body: { viewer: 'user', level: 40 } });
    expect((await call('POST', triggers, { ...session, ...fromHere })).status).toBe(201);
    await change(`memberships = '{"1": 30}'`);
    expect((await call('GET', triggers, session)).status).toBe(403);
  });

  it('gives way to credentials that are sent, good or not', async () => {
    const session = await signIn('ada');
    expect((await call('GET', triggers, { ...session, 'PRIVATE-TOKEN': 'grace' })).status).toBe(404);
    expect((await call('GET', triggers, { ...session, Authorization: 'Bearer unknown' })).status).toBe(401);
    expect((await call('POST', triggers, { ...session, 'PRIVATE-TOKEN': 'ada' })).status).toBe(201);
  });

  it('is not looked at by the trigger endpoint, nor where jobs come with their tokens', async () => {
    const session = await signIn('ada');
    expect((await call('POST', '/api/v4/projects/1/trigger/pipeline', session)).status).toBe(201);
    expect(await call('GET', '/api/v4/job', session)).toMatchObject({
      status: 401,
      body: { message: '401 Unauthorized' },
    });
  });

  it('of a token that reads changes nothing, but can be ended', async () => {
    await addToken(database, { token: 'reader', userId: 8, scopes: ['read_api'], memberships: { 1: 40 } });
    const session = await signIn('reader');
    expect((await call('GET', triggers, session)).status).toBe(200);
    const refused = await call('POST', triggers, { ...session, ...fromHere });
    expect([refused.status, refused.body.error]).toEqual([403, 'insufficient_scope']);
    expect((await call('DELETE', '/-/session', { ...session, ...fromHere })).status).toBe(204);
  });

  it.each(['revoked = true', `expires_at = now()`, `state = 'blocked'`])('ends at once with %s', async (what) => {
    const session = await signIn('ada');
    await change(what);
    for (const path of ['/-/session', '/-/sessions', triggers])
      expect(await call('GET', path, session)).toMatchObject({ status: 401, body: { message: '401 Unauthorized' } });
    // Nobody is signed in, so nothing is said about where it came from.
    expect((await call('POST', triggers, session)).status).toBe(401);
  });

  it.each(['expires_at', `last_used_at`])('ends when its time is over: %s', async (column) => {
    const session = await signIn('ada');
    const past = column === 'expires_at' ? 'now()' : `now() - interval '7 days'`;
    await database.query(`update gateway.sessions set ${column} = ${past}`);
    expect((await call('GET', '/-/session', session)).status).toBe(401);
  });

  it('that is made up is nobody’s', async () => {
    for (const cookie of ['x', '', 'a'.repeat(5_000), "';--", '%00'])
      expect((await call('GET', '/-/session', { Cookie: `${cookieName}=${cookie}` })).status).toBe(401);
  });

  it('that is used is kept, and says when', async () => {
    const session = await signIn('ada');
    await database.query(`update gateway.sessions set last_used_at = now() - interval '3 days'`);
    expect((await call('GET', '/-/session', session)).status).toBe(200);
    await until('the time to be written', async () => {
      const [row] = await database.query(
        `select last_used_at > now() - interval '1 minute' as used from gateway.sessions`,
      );
      return row.used as boolean;
    });
  });
});

describe('changing something with a session', () => {
  const own = () => gateway.url;
  it.each([
    ['nothing', () => ({}), 403],
    ['Sec-Fetch-Site same-origin', () => fromHere, 201],
    ['Sec-Fetch-Site same-site', () => ({ 'Sec-Fetch-Site': 'same-site' }), 403],
    ['Sec-Fetch-Site cross-site', () => ({ 'Sec-Fetch-Site': 'cross-site', Origin: externalUrl }), 403],
    ['Sec-Fetch-Site none', () => ({ 'Sec-Fetch-Site': 'none' }), 403],
    ['the external origin', () => ({ Origin: externalUrl }), 201],
    ['the request’s own origin', () => ({ Origin: own() }), 201],
    ['another origin', () => ({ Origin: 'https://evil.example' }), 403],
    ['another port', () => ({ Origin: 'http://127.0.0.1:1' }), 403],
    ['an origin that is hidden', () => ({ Origin: 'null' }), 403],
    ['a referrer alone', () => ({ Referer: `${externalUrl}/` }), 403],
  ] as [string, () => Record<string, string>, number][])('with %s', async (_, headers, status) => {
    const session = await signIn('ada');
    const answer = await call('POST', triggers, { ...session, ...headers() });
    const refused = { message: '403 Forbidden - What is changed with a session has to come from a page of this site' };
    expect([answer.status, answer.body]).toEqual([status, status === 403 ? refused : []]);
    // Reading changes nothing, and other sites do not get to see the answer.
    expect((await call('GET', triggers, { ...session, ...headers() })).status).toBe(200);
  });
});

describe('signing out', () => {
  it('ends the session and takes the cookie away', async () => {
    const session = await signIn('ada');
    const other = await signIn('ada');
    const { status, body, headers } = await call('DELETE', '/-/session', { ...session, ...fromHere });
    expect([status, body]).toEqual([204, '']);
    expect(headers.get('set-cookie')).toBe(`${cookieName}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0; Secure`);
    expect((await call('GET', '/-/session', session)).status).toBe(401);
    expect((await call('GET', '/-/session', other)).status).toBe(200);
  });

  it('works without one, too', async () => {
    expect((await call('DELETE', '/-/session')).status).toBe(204);
  });

  it('another site cannot', async () => {
    const session = await signIn('ada');
    expect((await call('DELETE', '/-/session', { ...session, Origin: 'https://evil.example' })).status).toBe(403);
    expect((await call('GET', '/-/session', session)).status).toBe(200);
  });
});

describe('one’s own sessions', () => {
  it('are listed and ended', async () => {
    const first = await signIn('ada', { 'User-Agent': 'Firefox' });
    const second = await signIn('ada', { 'User-Agent': 'x'.repeat(300) });
    const others = await signIn('grace');
    const { body } = await call('GET', '/-/sessions', first);
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    const times = { created_at: time, last_used_at: time, expires_at: time };
    expect(body).toEqual([
      { id: expect.any(Number), current: false, user_agent: 'x'.repeat(255), ...times },
      { id: expect.any(Number), current: true, user_agent: 'Firefox', ...times },
    ]);
    expect((await call('DELETE', `/-/sessions/${body[0].id}`, { ...others, ...fromHere })).status).toBe(404);
    expect((await call('DELETE', `/-/sessions/${body[0].id}`, { ...first, ...fromHere })).status).toBe(204);
    expect((await call('GET', '/-/session', second)).status).toBe(401);
    expect((await call('GET', '/-/sessions', { 'PRIVATE-TOKEN': 'ada' })).body).toMatchObject([{ current: false }]);
  });

  it('all end but the one that says so, and nobody else’s', async () => {
    const [first, second, others] = [await signIn('ada'), await signIn('ada'), await signIn('grace')];
    expect((await call('DELETE', '/-/sessions', { ...first, Origin: 'https://evil.example' })).status).toBe(403);
    expect((await call('DELETE', '/-/sessions', { ...first, ...fromHere })).status).toBe(204);
    const statuses = async () =>
      Promise.all([first, second, others].map(async (session) => (await call('GET', '/-/session', session)).status));
    expect(await statuses()).toEqual([200, 401, 200]);
    expect((await call('DELETE', '/-/sessions', { 'PRIVATE-TOKEN': 'ada' })).status).toBe(204);
    expect(await statuses()).toEqual([401, 401, 200]);
  });

  it('are a hundred at most', async () => {
    const first = await signIn('ada');
    for (let each = 0; each < 100; each++) await signIn('ada');
    expect((await call('GET', '/-/session', first)).status).toBe(401);
    expect((await call('GET', '/-/sessions', { 'PRIVATE-TOKEN': 'ada' })).body).toHaveLength(100);
  });

  it('that are over are forgotten', async () => {
    for (const token of ['ada', 'grace', 'grace', 'grace']) await signIn(token);
    await change('revoked = true');
    const ids: { id: number }[] = await database.query('select id from gateway.sessions where user_id = 2 order by id');
    await database.query('update gateway.sessions set expires_at = now() where id = $1', [ids[0]?.id]);
    await database.query(`update gateway.sessions set last_used_at = now() - interval '7 days' where id = $1`, [
      ids[1]?.id,
    ]);
    await new Sessions(database).purge();
    expect(await database.query('select id from gateway.sessions')).toEqual([ids[2]]);
  });
});

it('needs one indexed read', async () => {
  await signIn('ada');
  await database.query('analyze gateway.sessions');
  const plan: unknown[] = await database.transaction(async (transaction) => {
    await transaction.query('set local enable_seqscan = off');
    return transaction.query(`explain select from gateway.sessions where secret_hash = any('{"\\\\x00"}'::bytea[])`);
  });
  expect(JSON.stringify(plan)).toContain('sessions_secret_hash_key');
});
