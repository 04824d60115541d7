import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';

/** A variable in the environment of every process of one job, by which those are found that left its process group. */
export interface JobMarker {
  name: string;
  value: string;
}

/** Each round finds what was forked while the one before was killing. */
const MOST_ROUNDS = 20;

export function createMarker(): JobMarker {
  return { name: 'FLAGFALL_JOB', value: randomBytes(16).toString('hex') };
}

/**
 * Kills every process that carries the marker, until none is left. Works where /proc shows environments (Linux); elsewhere only the
 * process group bounds a job. A process that cleared its own environment before it left the group is not found.
 */
export async function killMarked(marker: JobMarker): Promise<void> {
  const entry = `${marker.name}=${marker.value}`;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const pids = await findMarked(entry);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone in the meantime, or another user's.
      }
    }
  }
}

async function findMarked(entry: string): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const names = await readdir('/proc');
  const found = await Promise.all(
    names.map(async (name) => {
      const pid = Number(name);
      if (!Number.isInteger(pid) || pid === process.pid) return [];
      try {
        // Empty for zombies and kernel threads, refused for processes of other users.
        const environment = await readFile(`/proc/${name}/environ`, 'latin1');
        return environment.startsWith(`${entry}\0`) || environment.includes(`\0${entry}\0`) ? [pid] : [];
      } catch {
        return [];
      }
    }),
  );
  return found.flat();
}
