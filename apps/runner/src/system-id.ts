import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Name of the file that holds it. */
export const SYSTEM_ID = 'system-id';

/** Where a runner keeps its own files, out of the jobs' way and on the same disk. */
export function stateDirectory(buildsDir: string): string {
  return join(buildsDir, '.flagfall');
}

/** Tells this machine from others that use the same token (runner-api.md §1.8); made once and kept. */
export async function readSystemId(buildsDir: string): Promise<string> {
  const directory = stateDirectory(buildsDir);
  const path = join(directory, SYSTEM_ID);
  const kept = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (/^[rs]_[0-9a-zA-Z]{12}$/.test(kept)) return kept;
  const fresh = `r_${randomBytes(6).toString('hex')}`;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(path, `${fresh}\n`, { mode: 0o600 });
  return fresh;
}
