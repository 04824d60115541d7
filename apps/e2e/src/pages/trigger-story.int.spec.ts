import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { browserName, openTab, signIn, startBrowser, type Tab } from '../testing/browser.js';
import { startsFlagfall } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import type { Project } from '../testing/project.js';

const run = promisify(execFile);

describeWith([[browserName]])('somebody with a browser', () => {
  const flagfall = startsFlagfall({ name: 'pages', gateways: 2 });
  let browser: Browser;
  let tab: Tab;
  let project: Project;

  beforeAll(async () => {
    browser = await startBrowser();
    project = await flagfall.newProject({
      files: {
        '.gitlab-ci.yml': `stages: [test, build, package]
run_tests: {script: [echo testing]}
build_package: {stage: build, script: [echo building]}
upload_package:
  stage: package
  script: ['if [ -n "$UPLOAD_TO_S3" ]; then echo uploading; fi']
`,
      },
    });
    await flagfall.startRunner();
    tab = await openTab(browser, flagfall.url);
    await signIn(tab.page, flagfall.rootToken);
  }, 180_000);
  afterAll(() => browser?.close());
  afterEach(() => expect(tab.faults).toEqual([]));

  /** The line of the page's examples, as a person would paste it into a shell. */
  const paste = async (title: string, token: string): Promise<{ status: string; body: string }> => {
    const line = await tab.page
      .locator('.snippet', { has: tab.page.getByLabel(title, { exact: true }) })
      .locator('code')
      .innerText();
    const { stdout } = await run('bash', [
      '-c',
      `${line.replaceAll('TOKEN', token)} --silent --write-out '\\n%{http_code}'`,
    ]);
    const cut = stdout.lastIndexOf('\n');
    return { status: stdout.slice(cut + 1), body: stdout.slice(0, cut) };
  };

  test('adds a trigger, fires it with curl, watches the pipeline, reads the log, revokes', async () => {
    const { page } = tab;
    await page.getByRole('link', { name: project.path }).click();
    await page.getByRole('heading', { name: 'No pipelines yet' }).waitFor();
    await page.getByRole('link', { name: 'Add a trigger' }).click();

    await page.getByRole('button', { name: 'Add trigger' }).click();
    await page.getByLabel('Description').fill('nightly build');
    await page.getByRole('button', { name: 'Create trigger' }).click();
    const token = await page.getByTestId('new-token').innerText();
    expect(token).toMatch(/^glptt-/);
    const row = page.getByRole('row', { name: /nightly build/ });
    await row.waitFor();

    // From here on nothing loads the page anew.
    await page.evaluate('window.stillTheSame = true');
    const { status, body } = await paste('cURL, form', token);
    expect(status).toBe('201');
    const { id } = JSON.parse(body) as { id: number };
    await page.getByRole('link', { name: 'Pipelines' }).click();
    const line = page.locator(`tr[data-pipeline="${id}"]`);
    await line.getByText('triggered').waitFor();
    await line.getByText('by API').waitFor();
    await line.getByText('Passed').first().waitFor({ timeout: 60_000 });

    // Another one appears and ends by itself while the list is looked at.
    const second = await flagfall.trigger({ id: 0, projectId: project.id, token }, 'main', { UPLOAD_TO_S3: 'true' });
    const other = page.locator(`tr[data-pipeline="${second.id}"]`);
    await other.waitFor({ timeout: 20_000 });
    await other.getByText('Passed').first().waitFor({ timeout: 60_000 });

    await page.goto(`/${project.path}/-/pipelines/${second.id}`);
    await page.evaluate('window.stillTheSame = true');
    await page.getByRole('button', { name: 'Reveal values' }).click();
    await page.getByText('UPLOAD_TO_S3', { exact: true }).waitFor();
    await page
      .getByRole('link', { name: /upload_package/ })
      .first()
      .click();
    await page.getByRole('log').getByText('uploading', { exact: true }).waitFor();
    const panel = page.getByRole('region', { name: 'Trigger' });
    await panel.getByText(`${token.replace('glptt-', '').slice(0, 4)}…`).waitFor();
    await panel.getByRole('button', { name: 'Reveal values' }).click();
    await panel.getByText('true', { exact: true }).waitFor();

    await page.getByRole('link', { name: 'CI/CD settings' }).click();
    await row.getByRole('button', { name: /Revoke/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('irreversible').waitFor();
    // A hasty Enter revokes nothing.
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Cancel');
    await dialog.getByRole('button', { name: 'Revoke trigger' }).click();
    await row.waitFor({ state: 'detached' });
    expect(await paste('cURL, form', token)).toEqual({ status: '404', body: '{"message":"404 Not Found"}' });
    expect(await page.evaluate('window.stillTheSame')).toBe(true);
  });

  test('sees a job’s log grow while it runs, and stop the job', async () => {
    await project.repository.commit(
      {
        '.gitlab-ci.yml': `slow:
  script:
    - 'for i in $(seq 1 1000); do echo "line number $i"; sleep 0.2; done'
`,
      },
      'Slow',
    );
    const { id } = await project.trigger();
    const { page } = tab;
    await page.goto(`/${project.path}/-/pipelines/${id}`);
    await page.getByRole('link', { name: /slow/ }).first().click();
    const log = page.getByRole('log');
    await log.getByText('line number 3', { exact: true }).waitFor({ timeout: 60_000 });
    await log.getByText('line number 20', { exact: true }).waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByText('Canceled').first().waitFor({ timeout: 60_000 });
  });

  test('runs a pipeline by hand, with variables and a value for an input', async () => {
    await project.repository.commit(
      {
        '.gitlab-ci.yml': `spec:
  inputs:
    target: {options: [staging, production], default: staging, description: Where to}
---
deploy:
  script: ['echo "$[[ inputs.target ]] for $WHO"']
`,
      },
      'Inputs',
    );
    const { page } = tab;
    await page.goto(`/${project.path}/-/pipelines`);
    await page.getByRole('link', { name: 'Run pipeline' }).click();
    await page.getByLabel('target').selectOption('production');
    await page.getByRole('button', { name: 'Add variable' }).click();
    await page.getByLabel('Key of variable 1').fill('WHO');
    await page.getByLabel('Value of variable 1').fill('everybody');
    await page.getByRole('button', { name: 'Run pipeline' }).click();
    await page
      .getByRole('link', { name: /deploy/ })
      .first()
      .click();
    await page.getByRole('log').getByText('production for everybody', { exact: true }).waitFor({ timeout: 60_000 });
  });

  test('is told what is wrong, and where to go', async () => {
    const { page } = tab;
    await page.goto('/group/nowhere/-/pipelines');
    await page.getByRole('heading', { name: 'Not found' }).waitFor();
    const stranger = await openTab(browser, flagfall.url);
    await stranger.page.goto(`/${project.path}/-/pipelines?status=failed`);
    await stranger.page.getByLabel('Access token').fill('glpat-wrong');
    await stranger.page.getByRole('button', { name: 'Sign in' }).click();
    await stranger.page.getByRole('alert').waitFor();
    await stranger.page.getByLabel('Access token').fill(flagfall.rootToken);
    await stranger.page.getByRole('button', { name: 'Sign in' }).click();
    await stranger.page.getByRole('heading', { name: 'Pipelines', exact: true }).waitFor();
    expect(new URL(stranger.page.url()).search).toBe('?status=failed');
    expect(stranger.faults).toEqual([]);
  });
});
