import type { Browser, BrowserContext, Page } from 'playwright-core';
import { accessibilityFaults, browserName, openTab, signIn, startBrowser } from '../testing/browser.js';
import { startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner, TakenJob } from '../testing/hand-runner.js';
import { describeWith } from '../testing/installed.js';
import type { Project } from '../testing/project.js';

/** Would say so in every tab that takes it for markup. */
const hostile = '<img src=/nothing onerror="window.pwned=1"><script>window.pwned=1</script>';
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const waitMs = 60_000;

describeWith([[browserName]])('the pages, when somebody means ill or has no mouse', () => {
  const flagfall = startsFlagfall({ name: 'attack' });
  let browser: Browser;
  let project: Project;
  let runner: HandRunner;
  let job: TakenJob;
  let pipelineId: number;

  beforeAll(async () => {
    browser = await startBrowser();
    project = await flagfall.newProject({
      path: 'hostile',
      description: hostile,
      files: {
        '.gitlab-ci.yml': `"build ${'x'.repeat(120)}": {script: [make], environment: {name: review, url: 'javascript:window.pwned=1'}}\n`,
      },
    });
    await project.repository.commit({ 'a.txt': 'a' }, `${hostile} as a title`);
    const trigger = await flagfall.newTrigger(project, undefined, { description: hostile });
    runner = await flagfall.newRunner({ description: hostile, tag_list: 'a<i>b</i>' });
    ({ id: pipelineId } = await flagfall.trigger(trigger, 'main', { HOSTILE: hostile }));
    job = await runner.start();
    await runner.log(
      job,
      [
        `section_start:1:x[collapsed=false]\r\u001b[0K${hostile} heading`,
        `\u001b]8;;javascript:window.pwned=1\u0007${hostile} link\u001b]8;;\u0007`,
        `\u001b[31m${hostile}\u001b[2J\u001b[1;1H after`,
        'section_end:2:x\r\u001b[0K',
      ].join('\n'),
    );
    await runner.end(job, 'success');
  }, 240_000);
  afterAll(() => browser?.close());

  const at = (rest: string) => `/${project.path}/-/${rest}`;

  async function signedIn(token = flagfall.rootToken) {
    const tab = await openTab(browser, flagfall.url);
    await signIn(tab.page, token);
    return tab;
  }

  test('names, titles, descriptions, logs and values are text', async () => {
    const { page, faults } = await signedIn();
    const visits: [string, string][] = [
      ['/', hostile],
      [at('pipelines'), `${hostile} as a title`],
      [at(`pipelines/${pipelineId}`), `${hostile} as a title`],
      [at('jobs'), 'by API'],
      [at(`jobs/${job.id}`), `${hostile} heading`],
      [at('trigger_requests'), hostile],
      [at('settings/ci_cd'), hostile],
      ['/admin/runners', hostile],
    ];
    for (const [url, text] of visits) {
      await page.goto(url);
      await page.getByText(text).filter({ visible: true }).first().waitFor();
      expect(
        await page.evaluate('[window.pwned ?? null, document.querySelectorAll("main img, main script").length]'),
      ).toEqual([null, 0]);
      const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      expect([url, wide]).toEqual([url, 0]);
    }
    await page.goto(at(`jobs/${job.id}`));
    await page.getByRole('log').getByText(`${hostile} link`).waitFor();
    expect(await page.locator('a[href^="javascript"]').count()).toBe(0);
    await page.getByRole('button', { name: 'Reveal values' }).click();
    await page.getByRole('region', { name: 'Trigger' }).getByText(hostile, { exact: true }).nth(1).waitFor();
    expect(await page.evaluate('window.pwned')).toBeUndefined();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.each([
    ['GET', '/', 200],
    ['GET', '/any/project/-/pipelines/1', 200],
    ['GET', '/users/sign_in', 200],
    ['POST', '/users/sign_in', 404],
    ['PUT', '/any/project/-/jobs', 404],
    ['GET', '/assets/none.js', 404],
    ['GET', '/-/session', 401],
    ['GET', '/-/nothing', 404],
    ['GET', '/api/v4/nothing', 404],
    ['GET', '/-/projects/1/live', 404],
    ['OPTIONS', '/', 405],
  ])('%s %s is answered %d, and is nothing that a browser would run', async (method, path, status) => {
    const response = await fetch(`${flagfall.url}${path}`, { method, headers: { Accept: 'text/html,*/*' } });
    await response.arrayBuffer();
    expect(response.status).toBe(status);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    if (response.status === 200) {
      expect(response.headers.get('content-security-policy')).toBe(policy);
      expect(response.headers.get('cache-control')).toBe('no-cache');
    } else {
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'/);
    }
  });

  test('a page reloads, and is gone back to and forward from, with what it showed', async () => {
    const { page, faults } = await signedIn();
    await page.goto(at('pipelines?status=success'));
    await page.locator(`tr[data-pipeline="${pipelineId}"]`).waitFor();
    await page.getByLabel('Status').selectOption('failed');
    await page.getByRole('heading', { name: 'No pipeline is like that' }).waitFor();
    await page.goBack();
    await page.locator(`tr[data-pipeline="${pipelineId}"]`).waitFor();
    await page.goForward();
    await page.getByRole('heading', { name: 'No pipeline is like that' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'No pipeline is like that' }).waitFor();
    await page.goto(at(`jobs/${job.id}#L2`));
    await page.locator('.line.marked', { hasText: 'link' }).waitFor();
    await page.getByRole('link', { name: 'Pipelines', exact: true }).click();
    await page.getByRole('heading', { name: 'Pipelines', exact: true }).waitFor();
    await page.goBack();
    await page.locator('.line.marked', { hasText: 'link' }).waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('whoever has no rights is told so, and is offered nothing', async () => {
    const guest = await flagfall.newUser('grace');
    const { page } = await signedIn(guest.token);
    await page.goto(at('pipelines'));
    await page.getByRole('heading', { name: 'Not found' }).waitFor();
    expect(await page.getByRole('navigation', { name: 'Project' }).count()).toBe(0);
    await page.goto('/admin/users');
    await page.getByRole('heading', { name: 'You may not see this' }).waitFor();
    await flagfall.join(project, guest, 20);
    await page.goto(at(`pipelines/${pipelineId}`));
    await page.getByRole('region', { name: 'Trigger' }).waitFor();
    // A Reporter sees which trigger it was, not what Maintainers call it.
    expect(await page.getByText(hostile, { exact: true }).count()).toBe(0);
    expect(await page.getByRole('button', { name: /^(Run|Retry|Cancel)/ }).count()).toBe(0);
    await page.getByRole('button', { name: 'Reveal values' }).click();
    await page.getByRole('alert').waitFor();
    await page.goto(at('settings/ci_cd'));
    await page.getByRole('heading', { name: 'You may not see this' }).first().waitFor();
    await page.context().close();
  });

  test('a token that is revoked ends what was begun with it, in every tab', async () => {
    const ada = await flagfall.newUser('ada');
    await flagfall.join(project, ada, 40);
    const { page } = await signedIn(ada.token);
    const other = await page.context().newPage();
    await other.goto(at('jobs'));
    await other.getByRole('heading', { name: 'Jobs' }).waitFor();
    await page.goto('/user_settings/access_tokens');
    await page.getByRole('button', { name: 'Revoke for a test' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke token' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    // The other one learns of it by itself: its stream ends, and it reads again.
    await other.getByRole('heading', { name: 'Sign in' }).waitFor({ timeout: waitMs });
    await page.context().close();
  }, 120_000);

  test('every form, dialog and list works from the keyboard, and focus comes back', async () => {
    const { page, faults } = await signedIn();
    const focused = () => page.evaluate('document.activeElement?.innerText ?? document.activeElement?.tagName');
    /** Presses Tab until something has the focus. */
    const tabTo = async (name: string | RegExp, role: 'button' | 'link' = 'button'): Promise<void> => {
      const wanted = page.getByRole(role, { name }).first();
      await wanted.waitFor();
      for (let presses = 0; presses < 60; presses++) {
        if ((await wanted.and(page.locator(':focus')).count()) > 0) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`Tab does not reach ${String(name)}`);
    };
    await page.goto(at('settings/ci_cd'));
    await page.getByRole('button', { name: 'Add trigger' }).waitFor();
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    await tabTo('Add trigger');
    await page.keyboard.press('Enter');
    await page.getByLabel('Description').waitFor();
    await page.locator('input:focus').waitFor();
    await page.keyboard.type('by keyboard');
    await page.keyboard.press('Enter');
    await page.getByTestId('new-token').waitFor();
    await tabTo('Revoke by keyboard');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    // Focus stays in the dialog, whichever way it goes.
    for (let presses = 0; presses < 4; presses++) {
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.closest("[role=dialog]") !== null')).toBe(true);
    }
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused()).toMatch(/^Revoke/);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('row', { name: /by keyboard/ }).waitFor({ state: 'detached' });
    await tabTo('Add variable');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.keyboard.type('BY_KEYBOARD');
    await page.keyboard.press('Enter');
    await page.getByRole('row', { name: /BY_KEYBOARD/ }).waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  }, 120_000);

  test('eight tabs of one browser all see what happens', async () => {
    const { page } = await signedIn();
    const context: BrowserContext = page.context();
    const projects = [
      project,
      ...(await Promise.all(
        [1, 2, 3].map(() => flagfall.newProject({ files: { '.gitlab-ci.yml': 'job: {script: [make]}\n' } })),
      )),
    ];
    const tabs: { tab: Page; shown: Project }[] = [];
    for (const shown of [...projects, ...projects]) {
      const tab = await context.newPage();
      await tab.goto(`/${shown.path}/-/pipelines`);
      await tab
        .getByRole('heading', { name: /^(Pipelines|No pipelines yet)$/ })
        .first()
        .waitFor();
      await tab.evaluate('window.stillTheSame = true');
      tabs.push({ tab, shown });
    }
    for (const shown of projects) {
      const { id } = await shown.trigger();
      await Promise.all(
        tabs
          .filter((each) => each.shown === shown)
          .map(({ tab }) => tab.locator(`tr[data-pipeline="${id}"]`).waitFor({ timeout: waitMs })),
      );
    }
    for (const { tab } of tabs) expect(await tab.evaluate('window.stillTheSame')).toBe(true);
    await context.close();
  }, 180_000);

  test('the first page is small, and its scripts are all that it loads', async () => {
    const { page } = await signedIn();
    const loaded: string[] = [];
    page.on('response', (response) => {
      if (response.request().resourceType() === 'script') loaded.push(new URL(response.url()).pathname);
    });
    await page.goto('/');
    await page.getByRole('link', { name: project.path, exact: true }).waitFor();
    const sizes = await Promise.all(
      [...new Set(loaded)].map(async (path) => {
        const { headers } = await fetchGzipped(`${flagfall.url}${path}`);
        return Number(headers.get('content-length'));
      }),
    );
    expect(sizes.length).toBeGreaterThan(3);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(80_000);
    await page.context().close();
  });

  test('without scripts there is a word about it', async () => {
    const { page } = await openTab(browser, flagfall.url, { javaScriptEnabled: false });
    await page.goto('/');
    await page.locator('noscript p', { hasText: 'need JavaScript' }).waitFor();
    await page.context().close();
  });
});

/** `fetch` decompresses what it reads, but tells the length that was sent. */
async function fetchGzipped(url: string): Promise<Response> {
  const response = await fetch(url, { method: 'HEAD', headers: { 'Accept-Encoding': 'gzip' } });
  expect(response.headers.get('content-encoding') ?? 'small').toMatch(/gzip|small/);
  return response;
}
