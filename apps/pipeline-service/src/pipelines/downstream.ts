import type { Status } from '#libs/contracts';

export interface OrderedJob {
  name: string;
  status: Status;
  stageIdx: number;
  scheduling: 'stage' | 'dag';
  needs: string[];
}

/**
 * Whether a job comes after one of the named ones: by its stage, or, when it has needs, through them, however many steps away. Pure.
 */
export function isDownstream(job: OrderedJob, names: ReadonlySet<string>, jobs: readonly OrderedJob[]): boolean {
  const byName = new Map(jobs.map((one) => [one.name, one]));
  const asked = new Set<string>();
  const follows = (one: OrderedJob): boolean => {
    if (asked.has(one.name)) return false;
    asked.add(one.name);
    if (one.scheduling === 'stage')
      return jobs.some(({ name, stageIdx }) => names.has(name) && stageIdx < one.stageIdx);
    return one.needs.some((need) => {
      const needed = byName.get(need);
      return names.has(need) || (needed !== undefined && follows(needed));
    });
  };
  return follows(job);
}
