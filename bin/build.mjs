// What `npm run build` runs: compiles the sources and the pages, and makes the empty database cluster that a first start copies.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root, say } from './prepare.mjs';

const compiler = join(root, 'node_modules/@typescript/native/bin/tsc');
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);

const vite = await import('vite');
await vite.build({ configFile: join(root, 'apps/web/vite.config.ts') });

const template = join(root, 'dist/embedded-database');
const engine = join(root, 'node_modules/@electric-sql/pglite/package.json');
if (!existsSync(template) || statSync(template).mtimeMs < statSync(engine).mtimeMs) {
  say('preparing the embedded database …');
  rmSync(template, { recursive: true, force: true });
  const { makeCluster } = await import('../dist/apps/standalone/src/embedded-database.js');
  await makeCluster(template);
}
