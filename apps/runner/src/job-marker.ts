import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';

/** A variable in the environment of every process of one job, by which those are found that left its process group. */
export interface JobMarker {
  name: string;
  value: string;
}

/** Each round finds what was forked while the one before was killing. */
const MOST_ROUNDS = 20;

const NAME = 'FLAGFALL_JOB';

/** @param buildsDir tells the jobs of one runner from those of others */
export function createMarker(buildsDir: string): JobMarker {
  return { name: NAME, value: `${ownerOf(buildsDir)}-${randomBytes(16).toString('hex')}` };
}

/**
 * Kills what is left of the jobs of a runner that was killed itself: it would go on in checkouts that the next jobs get. To be called
 * by the one who has the builds directory alone, before the first job.
 */
export function killLeftBehind(buildsDir: string): Promise<void> {
  return killAll(`${NAME}=${ownerOf(buildsDir)}-`);
}

function ownerOf(buildsDir: string): string {
  return createHash('sha256').update(buildsDir).digest('hex').slice(0, 16);
}

/**
 * Kills every process that carries the marker, until none is left. Works where /proc shows environments (Linux); elsewhere only the
 * process group bounds a job. A process that cleared its own environment before it left the group is not found.
 */
export function killMarked(marker: JobMarker): Promise<void> {
  return killAll(`${marker.name}=${marker.value}\0`);
}

/** @param entry how an entry of the environment begins */
async function killAll(entry: string): Promise<void> {
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
        return environment.startsWith(entry) || environment.includes(`\0${entry}`) ? [pid] : [];
      } catch {
        return [];
      }
    }),
  );
  return found.flat();
}
