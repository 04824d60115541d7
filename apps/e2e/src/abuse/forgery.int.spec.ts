// needs: rabbitmq, postgresql
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { browserName, openTab, startBrowser } from '../testing/browser.js';
import { startsFlagfall } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import { operationsOf, pathWith } from './operations.js';
import { Target } from './target.js';

const flagfall = startsFlagfall({ name: 'forgery', environment: { REQUEST_HOLD_MS: '0' } });
let target: Target;
/** Of the first administrator, as a browser keeps it. */
let cookie: string;

beforeAll(async () => {
  target = await Target.make(flagfall, 'target');
  cookie = await signIn();
});

async function signIn(headers: Record<string, string> = {}): Promise<string> {
  const json = { access_token: await flagfall.newAccessToken(1) };
  const { status, headers: answered } = await flagfall.call({ method: 'POST', path: '//-/session', json, headers });
  if (status !== 201) throw new Error(`signing in was answered ${status}`);
  return answered.get('set-cookie')?.split(';')[0] ?? '';
}

const whoIs = async (session: string) =>
  (await flagfall.call({ path: '//-/session', headers: { Cookie: session } })).status;

describe('what another site has a browser send with the cookie', () => {
  /** What browsers say of such a request, old ones and new ones. */
  const origins: Record<string, string>[] = [
    { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' },
    { 'Sec-Fetch-Site': 'same-site' },
    { 'Sec-Fetch-Site': 'none' },
    { Origin: 'https://evil.example' },
    { Origin: 'null' },
    {},
  ];
  const refusal = 'What is changed with a session has to come from a page of this site';

  it('changes nothing, on every route that changes anything', async () => {
    const writing = (await operationsOf(flagfall.url)).filter(({ method }) => method !== 'GET');
    const wrong: string[] = [];
    let guarded = 0;
    for (const { name, method, path, hasBody } of writing) {
      const others = { key: 'KEY_OF_target', name: 'release-target', queue: 'q', message_id: 'm', status_token: 'x' };
      const ids = { ...others, ...target.ids };
      const send = async (headers: Record<string, string>) => {
        const { status, body } = await flagfall.call({
          method,
          path: `/${pathWith(path, ids)}`,
          headers,
          // A form is what a page of another site may send without asking first.
          ...(hasBody && { form: [['description', 'forged']] }),
        });
        return { status, isRefused: JSON.stringify(body ?? '').includes(refusal) };
      };
      const nobody = await send({});
      const answers = await Promise.all(origins.map((headers) => send({ ...headers, Cookie: cookie })));
      // Where the session is looked at it is refused; where it is not, its bearer is nobody.
      for (const [index, { status, isRefused }] of answers.entries())
        if (!(isRefused && status === 403) && status !== nobody.status)
          wrong.push(`${name} with ${JSON.stringify(origins[index])} got ${status}, nobody gets ${nobody.status}`);
      if (answers.every(({ isRefused }) => isRefused)) guarded += 1;
    }
    process.stdout.write(
      `Forgery: ${writing.length} writing operations × ${origins.length} origins; ${guarded} know sessions\n`,
    );
    expect(wrong).toEqual([]);
    expect(guarded).toBeGreaterThan(50);
    expect(await whoIs(cookie)).toBe(200);
    expect((await target.project.get('')).description).not.toBe('forged');
    // The same from here is done.
    const json = { description: 'from here' };
    const headers = { Cookie: cookie, 'Sec-Fetch-Site': 'same-origin' };
    const { status } = await flagfall.call({ method: 'PUT', path: `/projects/${target.project.id}`, json, headers });
    expect([status, (await target.project.get('')).description]).toEqual([200, 'from here']);
  }, 120_000);

  it('does not sign anybody in, under whatever name', async () => {
    for (const headers of origins.filter(
      (each) => each['Sec-Fetch-Site'] !== undefined || each['Origin'] !== undefined,
    )) {
      const form = [['access_token', flagfall.rootToken]] as const;
      const answer = await flagfall.call({ method: 'POST', path: '//-/session', form, headers });
      expect([answer.status, answer.headers.get('set-cookie')]).toEqual([403, null]);
    }
  });

  it('is allowed to no other site by CORS', async () => {
    for (const path of ['/-/session', '/api/v4/user', `/api/v4/projects/${target.project.id}`])
      for (const method of ['GET', 'OPTIONS', 'PUT']) {
        const headers = { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'PUT', Cookie: cookie };
        const { headers: answered } = await flagfall.call({ method, path: `/${path}`, headers });
        expect([...answered.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
      }
  });
});

describe('a session', () => {
  it('that was planted in a browser is not the one that its user gets', async () => {
    const name = cookie.slice(0, cookie.indexOf('='));
    const planted = `${name}=${'A'.repeat(43)}`;
    const got = await signIn({ Cookie: planted });
    expect(got).not.toBe(planted);
    expect([await whoIs(planted), await whoIs(got)]).toEqual([401, 200]);
  });

  it('of an attacker, planted there, ends when its user signs in', async () => {
    const attackers = await signIn();
    const users = await signIn({ Cookie: attackers });
    expect([await whoIs(attackers), await whoIs(users)]).toEqual([401, 200]);
  });

  it('cannot be had from the database’s rows or guessed from another', async () => {
    const secrets = await Promise.all(Array.from({ length: 20 }, async () => (await signIn()).split('=')[1] ?? ''));
    expect(new Set(secrets.map((secret) => secret.slice(0, 6))).size).toBe(20);
    for (const secret of secrets) expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  });
});

describe('the address that a page was reached by', () => {
  it('is named to no other site, by any answer', async () => {
    const { paths } = await flagfall.must({ path: '//api/openapi.json' });
    const pages = ['/', '/users/sign_in', '/group/target/-/pipelines', '/nothing/at/all', '/assets/none.js'];
    for (const path of [...pages, ...Object.keys(paths as object).filter((each) => !/[{]|live/.test(each))]) {
      const { headers } = await flagfall.call({
        path: `/${path}?private_token=glpat-wrong`,
        headers: { Accept: 'text/html,*/*' },
      });
      expect([path, headers.get('referrer-policy')]).toEqual([
        path,
        expect.stringMatching(/^(?:no-referrer|same-origin)$/),
      ]);
    }
  });

  describeWith([[browserName]])('in a real browser', () => {
    it('is not told to the site of a link', async () => {
      const referrers: (string | undefined)[] = [];
      const elsewhere = createServer((request, response) => {
        // The browser asks that site for its icon, too.
        if (request.url === '/') referrers.push(request.headers.referer);
        response.end('elsewhere');
      }).listen(0, 'localhost');
      await once(elsewhere, 'listening');
      const browser = await startBrowser();
      try {
        const { page } = await openTab(browser, flagfall.url);
        await page.goto('/users/sign_in?private_token=glpat-in-the-address');
        await page.getByRole('heading', { name: 'Sign in' }).waitFor();
        const there = `http://localhost:${(elsewhere.address() as AddressInfo).port}/`;
        await Promise.all([page.waitForURL(there), page.evaluate(`location.assign(${JSON.stringify(there)})`)]);
        expect(referrers).toEqual([undefined]);
      } finally {
        await browser.close();
        elsewhere.close();
        elsewhere.closeAllConnections();
      }
    });
  });
});
