import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { directoryWith } from './installed.js';

/** Names under which distributions install it. */
const browserNames = ['chromium', 'chromium-browser', 'google-chrome'];
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** The name of the browser of this machine, for `describeWith`. */
export const browserName = browserNames.find((name) => directoryWith(name)) ?? 'chromium';

/** A real browser, without a window. @throws Error where there is none */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: join(directoryWith(browserName) ?? '', browserName),
    // Containers and CI machines run as root and have a small /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}

/** A tab, and what went wrong in it: scripts that failed, messages to the console, what the Content-Security-Policy refused. */
export interface Tab {
  page: Page;
  faults: string[];
}

/** A tab of a browser that nobody has used, not even for cookies. */
export async function openTab(browser: Browser, baseURL: string, options: BrowserContextOptions = {}): Promise<Tab> {
  const context = await browser.newContext({ baseURL, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`${page.url()}: ${error.message}`));
  page.on('console', (message) => {
    // The browser itself reports answers like 403, which pages show in their own words.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      faults.push(`${page.url()}: ${message.text()}`);
  });
  return { page, faults };
}

export async function signIn(page: Page, token: string): Promise<void> {
  await page.goto('/users/sign_in');
  await page.getByLabel('Access token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Projects' }).waitFor();
}

interface AxeResults {
  violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[];
}

/** What axe-core finds wrong with the page as it is now; nothing, where everybody can use it. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  // Its script comes from here, and the page's policy would not load it.
  await page.evaluate(
    `(() => { if (!window.axe) { const module = undefined, exports = undefined, define = undefined; ${await axeSource()} } })()`,
  );
  const { violations } = (await page.evaluate('axe.run(document)')) as AxeResults;
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary = '' }) => `${id}: ${help}\n  ${html.slice(0, 200)}\n  ${failureSummary}`),
  );
}

let source: Promise<string> | undefined;
function axeSource(): Promise<string> {
  return (source ??= import('node:fs/promises').then(({ readFile }) => readFile(axe, 'utf8')));
}
