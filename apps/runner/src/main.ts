import { ConfigError, readConfig, USAGE, type RunnerConfig } from './config.js';
import { register, unregister } from './registration.js';
import { Runner } from './runner.js';
import { RUNNER_VERSION } from './version.js';
import { shortenToken } from './workspace.js';

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
  if (config.command !== 'run') {
    console.log(await (config.command === 'register' ? register : unregister)(config));
    return;
  }
  const { url, token, concurrency, tags, buildsDir, docker, stopTimeoutMs } = config;
  const runner = new Runner(config);
  let stopping = false;
  const stop = (graceMs: number, line: string) => {
    // A second signal is impatience.
    const grace = stopping ? 0 : graceMs;
    if (!stopping) console.log(line);
    stopping = true;
    void runner.stop(grace);
  };
  const soon = () => stop(stopTimeoutMs, `stopping; running jobs have ${stopTimeoutMs / 1000} s`);
  process.on('SIGTERM', soon);
  process.on('SIGINT', soon);
  process.on('SIGQUIT', () => stop(Infinity, 'taking no new jobs; running ones finish'));
  const shown = [
    `${concurrency} at once`,
    docker ? 'in Docker' : 'in a shell',
    `builds in ${buildsDir}`,
    ...(tags === '' ? [] : [`tags ${tags}`]),
  ];
  console.log(`flagfall-runner ${RUNNER_VERSION} ${shortenToken(token)} takes jobs from ${url} (${shown.join(', ')})`);
  runner.start();
  await runner.finished().catch(() => {
    // The runner itself has said why.
    process.exitCode = 1;
  });
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
