import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { EditSettings, type SettingsFacts, ShowSettings } from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DataSource } from 'typeorm';

/** GitLab's names, under which settings are stored, and its defaults (trigger-api.md §1.9). */
const settings = {
  pipelineLimitPerProjectUserSha: { key: 'pipeline_limit_per_project_user_sha', initially: 0 },
  projectJobsApiRateLimit: { key: 'project_jobs_api_rate_limit', initially: 600 },
} as const satisfies Record<keyof SettingsFacts, { key: string; initially: number }>;

const names = Object.keys(settings) as (keyof SettingsFacts)[];

/** The settings of the whole installation. */
@Controller()
export class SettingsHandler {
  constructor(private readonly database: DataSource) {}

  @MessagePattern(ShowSettings.pattern)
  async show(): Promise<SettingsFacts> {
    const rows: { key: string; value: number }[] = await this.database.query(
      'select key, value from pipelines.settings',
    );
    const stored = new Map(rows.map(({ key, value }) => [key, value]));
    const value = (name: keyof SettingsFacts): number => stored.get(settings[name].key) ?? settings[name].initially;
    return {
      pipelineLimitPerProjectUserSha: value('pipelineLimitPerProjectUserSha'),
      projectJobsApiRateLimit: value('projectJobsApiRateLimit'),
    };
  }

  @MessagePattern(EditSettings.pattern)
  async edit(@Payload() order: EditSettings): Promise<SettingsFacts> {
    const given = names.filter((name) => order[name] !== undefined);
    await this.database.query(
      `insert into pipelines.settings (key, value) select key, to_jsonb(value) from unnest($1::text[], $2::int[]) as given (key, value)
       on conflict (key) do update set value = excluded.value`,
      [given.map((name) => settings[name].key), given.map((name) => order[name])],
    );
    return this.show();
  }
}
