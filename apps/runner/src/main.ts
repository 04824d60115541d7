import { ConfigError, readConfig, USAGE, type RunnerConfig } from './config.js';
import { Runner } from './runner.js';
import { RUNNER_VERSION } from './version.js';
import { shortenToken } from './workspace.js';

/** Running jobs have so long to end after SIGTERM or SIGINT. */
const GRACE_MS = 10_000;

async function main(): Promise<void> {
  let config: RunnerConfig | undefined;
  try {
    config = readConfig(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`${error.message}\nSee --help.`);
    process.exitCode = 2;
    return;
  }
  if (config === undefined) {
    console.log(USAGE);
    return;
  }
  const { url, token, concurrency, tags, buildsDir } = config;
  const runner = new Runner(config);
  let stopping = false;
  const stop = (graceMs: number, line: string) => {
    // A second signal is impatience.
    const grace = stopping ? 0 : graceMs;
    if (!stopping) console.log(line);
    stopping = true;
    void runner.stop(grace);
  };
  process.on('SIGTERM', () => stop(GRACE_MS, `stopping; running jobs have ${GRACE_MS / 1000} s`));
  process.on('SIGINT', () => stop(GRACE_MS, `stopping; running jobs have ${GRACE_MS / 1000} s`));
  process.on('SIGQUIT', () => stop(Infinity, 'taking no new jobs; running ones finish'));
  const shown = [`${concurrency} at once`, `builds in ${buildsDir}`, ...(tags === '' ? [] : [`tags ${tags}`])];
  console.log(`flagfall-runner ${RUNNER_VERSION} ${shortenToken(token)} takes jobs from ${url} (${shown.join(', ')})`);
  runner.start();
  await runner.finished();
}

main().catch((error: Error) => {
  console.error(`The runner cannot go on: ${error.message}`);
  process.exitCode = 1;
});
