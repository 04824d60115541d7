import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's top directory. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Brings a clone to where it can run: Node and git are there, dependencies are installed, sources are compiled. What is there already is
 * left alone, so a second call costs some ten milliseconds. Says what it does while it does it; ends the process with a sentence when it
 * cannot go on. Uses nothing but Node's own modules, for there may be no others yet.
 */
export function prepare() {
  checkMachine();
  if (!isInstalled()) install();
  if (!isBuilt()) build();
}

export function say(text) {
  console.log(`flagfall: ${text}`);
}

export function giveUp(text) {
  console.error(`flagfall: ${text}`);
  process.exit(1);
}

function checkMachine() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19) || major === 21 || (major === 22 && minor < 12)) {
    giveUp(
      `Node ${process.versions.node} is too old. Flagfall needs Node 20.19, 22.12 or newer; see https://nodejs.org/en/download.`,
    );
  }
  const git = spawnSync('git', ['--version'], { encoding: 'utf8' });
  if (git.error || git.status !== 0) {
    giveUp(
      'git was not found. Flagfall reads repositories with it: install it (Debian, Ubuntu: apt-get install git) and run this again.',
    );
  }
}

/**
 * Whether node_modules holds what package-lock.json asks for. npm writes the hidden lock file last, so an install that was interrupted
 * does not count; packages are compared rather than times, which a checkout changes.
 */
function isInstalled() {
  const wanted = packagesOf('package-lock.json');
  const found = packagesOf('node_modules/.package-lock.json');
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional || entry.devOptional || found[path]?.version === entry.version,
  );
}

function packagesOf(file) {
  const path = join(root, file);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : {};
}

function install() {
  say('installing dependencies (npm ci); the first time this takes a minute or two …');
  // No package here needs its install script, and not running any is one thing less to trust.
  run(
    [...npm(), 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    'The dependencies could not be installed',
  );
}

/** The npm that runs us, which need not be the first in PATH. */
function npm() {
  const script = process.env.npm_execpath;
  return script?.endsWith('npm-cli.js') ? [process.execPath, script] : ['npm'];
}

const stamp = join(root, 'dist/.built');
const template = join(root, 'dist/embedded-database');

/** Whether nothing that goes into the build has changed since the last one began. Removed files show in their directory's time. */
function isBuilt() {
  if (!existsSync(stamp) || !existsSync(template)) return false;
  const built = statSync(stamp).mtimeMs;
  const isOlder = (path) => statSync(path).mtimeMs < built;
  const settings = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'].map((file) =>
    join(root, file),
  );
  return settings.every(isOlder) && ['apps', 'libs'].every((directory) => everySource(join(root, directory), isOlder));
}

function everySource(directory, holds) {
  return (
    holds(directory) &&
    readdirSync(directory, { withFileTypes: true }).every((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return everySource(path, holds);
      return !/\.(?:ts|vue|css|html|svg)$/.test(entry.name) || holds(path);
    })
  );
}

function build() {
  const began = new Date();
  say('building …');
  rmSync(stamp, { force: true });
  run([...npm(), 'run', '--silent', 'build'], 'The build failed');
  writeFileSync(stamp, '');
  utimesSync(stamp, began, began);
}

function run([command, ...args], failure) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) giveUp(`${failure}${error ? `: ${error.message}` : '; the lines above say why'}.`);
}
