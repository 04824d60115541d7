import type { SettingsFacts } from '#libs/contracts';
import type { Sql } from '../pipelines/pipelines.repository.js';

/** GitLab's names, under which settings are stored, and its defaults (trigger-api.md §1.9); but nobody registers runners unless told to. */
export const settings = {
  pipelineLimitPerProjectUserSha: { key: 'pipeline_limit_per_project_user_sha', initially: 0 },
  projectJobsApiRateLimit: { key: 'project_jobs_api_rate_limit', initially: 600 },
  allowRunnerRegistrationToken: { key: 'allow_runner_registration_token', initially: false },
} as const satisfies { [Name in keyof SettingsFacts]: { key: string; initially: SettingsFacts[Name] } };

/** The settings of the whole installation, as they are now. */
export async function readSettings(sql: Sql): Promise<SettingsFacts> {
  const rows: { key: string; value: unknown }[] = await sql.query('select key, value from pipelines.settings');
  const stored = new Map(rows.map(({ key, value }) => [key, value]));
  const facts = Object.entries(settings).map(([name, { key, initially }]) => [name, stored.get(key) ?? initially]);
  return Object.fromEntries(facts) as SettingsFacts;
}
