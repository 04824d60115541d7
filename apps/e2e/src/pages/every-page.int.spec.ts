import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { accessibilityFaults, browserName, openTab, signIn, startBrowser } from '../testing/browser.js';
import { startsFlagfall } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import type { Project } from '../testing/project.js';

/** Where pictures go, when `npm run screenshots` wants some. */
const pictures = process.env['SCREENSHOTS'];

const looks = [
  { name: 'wide-light', viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  { name: 'wide-dark', viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  { name: 'narrow-light', viewport: { width: 390, height: 844 }, colorScheme: 'light' },
  { name: 'narrow-dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
] as const;

const bigLog = 100_000;
const pieceSize = 500_000;

describeWith([[browserName]])('every page', () => {
  const flagfall = startsFlagfall({ name: 'every' });
  let browser: Browser;
  let project: Project;
  let pipelineId: number;
  let brokenId: number;
  let jobId: number;
  let requestId: string;

  beforeAll(async () => {
    browser = await startBrowser();
    project = await flagfall.newProject({
      path: 'shop',
      description: 'What the shop is made of',
      files: {
        '.gitlab-ci.yml': `stages: [build, test, deploy]
compile: {stage: build, script: [make]}
assets: {stage: build, script: [make assets]}
unit: {stage: test, script: [make test], needs: [compile]}
browser: {stage: test, script: [make e2e], needs: [compile, assets], allow_failure: true}
staging: {stage: deploy, script: [make deploy], needs: [unit], environment: {name: staging, url: 'https://staging.example.com'}}
production: {stage: deploy, script: [make deploy], when: manual, needs: [staging]}
`,
      },
    });
    const trigger = await flagfall.newTrigger(project, undefined, { description: 'nightly build' });
    ({ id: pipelineId } = await flagfall.trigger(trigger, 'main', { UPLOAD_TO_S3: 'true', REGION: 'eu-west-1' }));
    const runner = await flagfall.newRunner({ description: 'a runner of the tests', tag_list: 'linux,fast' });
    const done = await runner.start();
    await runner.log(done, someLog());
    await runner.end(done, 'success');
    jobId = done.id;
    const failed = await runner.start();
    await runner.log(failed, 'make: *** No rule to make target.  Stop.\n');
    await runner.end(failed, 'failed');
    await runner.start();
    await project.repository.commit({ '.gitlab-ci.yml': 'compile: {stage: nowhere, script: [make]}\n' }, 'Break it');
    await flagfall.call({
      method: 'POST',
      path: `/projects/${project.id}/trigger/pipeline`,
      form: [
        ['token', trigger.token],
        ['ref', 'main'],
      ],
    });
    [{ id: brokenId }] = await project.pipelines();
    [{ id: requestId }] = await project.get('/trigger/requests');
    await project.post('/variables', { key: 'TRIGGER_TOKEN', value: 'glptt-0123456789abcdef', masked: true });
    await flagfall.newUser('ada', { name: 'Ada Lovelace' });
  }, 240_000);
  afterAll(() => browser?.close());

  /** Name of the picture, URL, and what is there once the page is. */
  const pages = (): [name: string, url: string, ready: (page: Page) => Promise<void>][] => {
    const at = (rest: string) => `/${project.path}/-/${rest}`;
    const heading = (name: string | RegExp) => (page: Page) => page.getByRole('heading', { name }).first().waitFor();
    const text = (words: string) => (page: Page) => page.getByText(words).filter({ visible: true }).first().waitFor();
    return [
      ['projects', '/', text(project.path)],
      ['new-project', '/projects/new', heading('New project')],
      ['pipelines', at('pipelines'), text('by API')],
      ['no-pipelines', at('pipelines?ref=nothing'), heading('No pipeline is like that')],
      ['run-pipeline', at('pipelines/new'), heading('Run pipeline')],
      ['pipeline', at(`pipelines/${pipelineId}`), text('production')],
      ['pipeline-broken', at(`pipelines/${brokenId}`), heading('The configuration is not right')],
      ['jobs', at('jobs'), text('compile')],
      [
        'job',
        at(`jobs/${jobId}`),
        (page) => page.getByRole('log').getByText('compiling part 1', { exact: true }).waitFor(),
      ],
      ['trigger-requests', at('trigger_requests'), text('nightly build')],
      ['trigger-request', at(`trigger_requests/${requestId}`), heading('What happened')],
      ['ci-settings', at('settings/ci_cd'), text('TRIGGER_TOKEN')],
      ['settings', at('edit'), heading('Settings')],
      ['runners', '/admin/runners', text('a runner of the tests')],
      ['users', '/admin/users', text('Ada Lovelace')],
      ['user', '/admin/users/1', heading('Access tokens')],
      ['access-tokens', '/user_settings/access_tokens', text('this one')],
      ['not-found', '/group/nowhere/-/jobs', heading('Not found')],
    ];
  };

  test.each(looks)(
    '$name: can be used by everybody, and has no errors',
    async ({ name, ...look }) => {
      const { page, faults } = await openTab(browser, flagfall.url, look);
      const found: string[] = [];
      const visit = async (called: string): Promise<void> => {
        found.push(...(await accessibilityFaults(page)).map((fault) => `${called}: ${fault}`));
        const spread = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        if (Number(spread) > 0) found.push(`${called}: wider than the window by ${String(spread)} pixels`);
        if (pictures) {
          await mkdir(pictures, { recursive: true });
          await page.screenshot({ path: join(pictures, `${called}.${name}.png`), fullPage: true });
        }
      };
      await page.goto('/users/sign_in');
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      await visit('sign-in');
      await signIn(page, flagfall.rootToken);
      for (const [called, url, ready] of pages()) {
        await page.goto(url);
        await ready(page);
        await visit(called);
      }
      await page.goto(`/${project.path}/-/pipelines/${pipelineId}`);
      await page.getByRole('button', { name: 'Needs' }).click();
      await page.getByRole('group', { name: 'Jobs and what they need' }).waitFor();
      await visit('pipeline-needs');
      await page.goto(`/${project.path}/-/settings/ci_cd`);
      await page.getByRole('button', { name: 'Revoke nightly build' }).click();
      await page.getByRole('dialog').waitFor();
      await visit('revoke');
      await page.context().close();
      expect(found).toEqual([]);
      expect(faults).toEqual([]);
    },
    240_000,
  );

  test('a log of 100,000 lines: folds, finds, follows links, and has few elements', async () => {
    const runner = await flagfall.newRunner({ description: 'of the long log' });
    const { id } = await project.trigger('main').catch(() => ({ id: 0 }));
    expect(id).toBe(0);
    await project.repository.commit({ '.gitlab-ci.yml': 'long: {script: [make]}\n' }, 'Mend it');
    await project.trigger('main');
    let job = await runner.start();
    while (job.job_info.name !== 'long') {
      await runner.end(job, 'success');
      job = await runner.start();
    }
    const lines = Array.from({ length: bigLog }, (_, index) => `\u001b[32mline\u001b[0m ${index + 1} of the long log`);
    // A runner sends a log in pieces, too.
    for (let sent = 0, text = Buffer.from(`${lines.join('\n')}\n`); sent < text.length; sent += pieceSize)
      expect((await runner.patch(job, sent, text.subarray(sent, sent + pieceSize))).status).toBe(202);
    await runner.end(job, 'success');
    const { page, faults } = await openTab(browser, flagfall.url);
    await signIn(page, flagfall.rootToken);
    const log = page.getByRole('log');
    await page.goto(`/${project.path}/-/jobs`);
    const link = page.getByRole('link', { name: 'long', exact: true });
    await link.waitFor();
    const spent = await pageTime(page);
    await link.click();
    await log.getByText('line 1 of the long log', { exact: true }).waitFor();
    // Of the page's own time, which a machine that has much else to do does not stretch as it does the clock's.
    expect(await spent()).toBeLessThan(0.5);
    await page.goto(`/${project.path}/-/jobs/${job.id}#L50000`);
    await log.getByText('line 50000 of the long log', { exact: true }).waitFor();
    expect(await log.locator('.line').count()).toBeLessThan(200);
    await page.getByLabel('Search the log').fill('LINE 99999 OF');
    await page.getByRole('button', { name: 'Next match' }).click();
    await log.getByText('line 99999 of the long log', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'To the start of the log' }).click();
    await log.getByText('line 1 of the long log', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'To the end of the log' }).click();
    await log.getByText(`line ${bigLog} of the long log`, { exact: true }).waitFor();
    await log.getByRole('link', { name: String(bigLog - 3), exact: true }).click();
    expect(new URL(page.url()).hash).toBe(`#L${bigLog - 3}`);
    expect(faults).toEqual([]);
    await page.context().close();
  }, 120_000);
});

/** Asks for the seconds that the page's thread has worked since. */
async function pageTime(page: Page): Promise<() => Promise<number>> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const worked = async (): Promise<number> =>
    (await devtools.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN;
  const before = await worked();
  return async () => (await worked()) - before;
}

/** What a job of our runner writes: sections, colours, a bar that overwrites itself. */
function someLog(): string {
  const e = '\u001b';
  const parts = Array.from({ length: 40 }, (_, index) => `compiling part ${index + 1}`);
  return [
    `section_start:1790000000:prepare\r${e}[0K${e}[36;1mPreparing the environment${e}[0;m`,
    'Running on a runner of the tests …',
    `section_end:1790000002:prepare\r${e}[0Ksection_start:1790000002:build[collapsed=false]\r${e}[0K${e}[36;1mBuilding${e}[0;m`,
    `${e}[32;1m$ make${e}[0;m`,
    ...parts,
    '10%\r50%\r100%',
    `${e}[33mwarning:${e}[0m unused variable ${e}[1mtotal${e}[0m`,
    `section_end:1790000065:build\r${e}[0K${e}[32;1mJob succeeded${e}[0;m`,
    '',
  ].join('\n');
}
