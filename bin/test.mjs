// What `npm test` runs. Arguments go to Jest: npm test -- apps/gateway -t 'revoked'
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { giveUp, prepare, root, say } from './prepare.mjs';

prepare();
const { findServers } = await import('./test-servers.mjs');

let child;
let stoppedBy;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stoppedBy = signal;
    child?.kill(signal);
  });
}

// All that suites write is below it, and goes with it. Servers of their own that run as somebody else have to get there.
const directory = mkdtempSync(join(tmpdir(), 'flagfall-'));
chmodSync(directory, 0o711);
const removeDirectory = () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 });

const servers = await findServers(process.env, directory).catch((error) => {
  removeDirectory();
  giveUp(error.message);
});
say(servers.description);
const missing = [...(servers.hasDatabase ? [] : ['postgresql']), ...(servers.hasBroker ? [] : ['rabbitmq'])];
const leftOut = suitesThatNeed(missing);
const results = join(directory, 'results.json');
let status = 1;
let counts = { passed: 0, failed: 1 };
try {
  if (!stoppedBy) status = await runJest(results);
  counts = countsOf(results) ?? counts;
} finally {
  killRest(servers.namespace);
  await servers.release();
  removeDirectory();
}
if (leftOut.length > 0) {
  const wanted = missing.map((name) => ({ postgresql: 'PostgreSQL', rabbitmq: 'RabbitMQ' })[name]).join(' and ');
  console.log(`
********************************************************************************
  LEFT OUT, for want of ${wanted}: ${leftOut.length} suites
${leftOut.map((file) => `    ${file}`).join('\n')}
  Give TEST_DATABASE_URL and TEST_AMQP_URL, or start Docker, to run them.
********************************************************************************`);
  if (process.env.CI === 'true') {
    console.log('With CI=true every suite must run: this counts as a failure.');
    counts.failed += leftOut.length;
    status ||= 1;
  }
}
console.log(`\nTests: ${counts.passed} passed, ${counts.failed} failed`);
// A Docker that has not answered yet must not hold us.
process.exit(stoppedBy ? 128 + constants.signals[stoppedBy] : status);

function runJest(resultsFile) {
  const jest = ['--experimental-vm-modules', '--no-warnings', join(root, 'node_modules/jest/bin/jest.js')];
  const ignored = leftOut.map((file) => `/${file.replace(/[.\\]/g, '\\$&')}$`);
  const options = [
    '--json',
    `--outputFile=${resultsFile}`,
    ...['/node_modules/', ...ignored].map((pattern) => `--testPathIgnorePatterns=${pattern}`),
  ];
  const env = { ...process.env, TMPDIR: directory, ...servers.env };
  if (!servers.hasBroker) delete env.TEST_AMQP_URL;
  child = spawn(process.execPath, [...jest, ...process.argv.slice(2), ...options], {
    cwd: root,
    env,
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', (code) => resolve(code ?? 1)));
}

/**
 * Kills what is left of this run: workers of a Jest that was ended, and the programs that suites have started, which know the run by its name. Jobs do not
 * know it, so those who start them are held first, and all below them ends with them. Only Linux tells the environment of processes.
 */
function killRest(namespace) {
  const mark = `TEST_NAMESPACE=${namespace}`;
  for (let found; (found = processes().filter((pid) => isMarked(pid, mark))).length > 0;) {
    for (const pid of found) send(pid, 'SIGSTOP');
    for (const pid of new Set(found.flatMap((each) => [each, ...descendants(each)]))) send(pid, 'SIGKILL');
  }
}

function processes() {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  } catch {
    return [];
  }
}

/** One that has ended has no environment any more. */
function isMarked(pid, mark) {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark);
  } catch {
    return false;
  }
}

function descendants(pid) {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return children.flatMap((child) => [child, ...descendants(child)]);
  } catch {
    return [];
  }
}

function send(pid, signal) {
  try {
    process.kill(Number(pid), signal);
  } catch {
    // It has ended since it was seen.
  }
}

/** Suites say what they cannot do without in their first line: `// needs: rabbitmq`, `// needs: postgresql` (what the embedded database cannot do). */
function suitesThatNeed(names) {
  if (names.length === 0) return [];
  return ['apps', 'libs']
    .flatMap((directory) =>
      readdirSync(join(root, directory), { recursive: true }).map((file) => join(directory, file)),
    )
    .filter((file) => file.endsWith('.spec.ts'))
    .filter((file) => {
      const needs = /^\/\/ needs: (.*)/.exec(readFileSync(join(root, file), 'utf8'))?.[1] ?? '';
      return names.some((name) => needs.split(/,\s*/).includes(name));
    })
    .map((file) => relative(root, join(root, file)))
    .sort();
}

/** A suite that could not even be loaded counts as one failure. */
function countsOf(file) {
  try {
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(file, 'utf8'));
    return { passed: numPassedTests, failed: numFailedTests + numRuntimeErrorTestSuites };
  } catch {
    return undefined; // Jest ended before it wrote any.
  }
}
