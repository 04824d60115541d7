import type { DataSource } from 'typeorm';
import type { Metrics } from '#libs/process';

/** Whatever has piled up, a look at it must stay cheap: more are counted as so many. */
const mostCounted = 100_000;
/** By the partial index of the queue. */
const queued = `(select queued_at from pipelines.jobs where status = 'pending' and runner_id is null and not bridge limit ${mostCounted}) as queued`;

interface Counted {
  state: string;
  count: number;
}

/** Tells how many jobs of the installation wait for a runner or are with one, and how long the oldest has waited. Of jobs that are over there is no end. */
export function measureJobs(metrics: Metrics, database: DataSource): void {
  metrics.gauge(
    'flagfall_jobs',
    'Jobs that wait for a runner (queued), for their time (delayed), or are with a runner, by status',
    ['state'],
    async () => {
      // Each part by a partial index of its own.
      const rows = (await database.query(
        `select 'queued' as state, count(*)::int as count from ${queued}
         union all select 'delayed', count(*)::int from pipelines.jobs where status = 'scheduled'
         union all select case status when 'pending' then 'assigned' else status end, count(*)::int from pipelines.jobs
           where status in ('pending', 'running', 'canceling') and runner_id is not null group by status`,
      )) as Counted[];
      const counts = new Map([
        ...['assigned', 'running', 'canceling'].map((state): [string, number] => [state, 0]),
        ...rows.map(({ state, count }): [string, number] => [state, count]),
      ]);
      return [...counts].map(([state, value]) => ({ labels: { state }, value }));
    },
  );
  metrics.gauge(
    'flagfall_jobs_queued_age_seconds',
    'How long the job has waited that waits longest for a runner; 0 without any',
    [],
    async () => {
      const [row] = (await database.query(
        `select coalesce(extract(epoch from now() - min(queued_at)), 0)::float8 as age from ${queued}`,
      )) as { age: number }[];
      return [{ value: row?.age ?? 0 }];
    },
  );
}
