import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { EditSettings, type SettingsFacts, ShowSettings } from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DataSource } from 'typeorm';
import { readSettings, settings } from './settings.js';

const names = Object.keys(settings) as (keyof SettingsFacts)[];

/** The settings of the whole installation. */
@Controller()
export class SettingsHandler {
  constructor(private readonly database: DataSource) {}

  @MessagePattern(ShowSettings.pattern)
  show(): Promise<SettingsFacts> {
    return readSettings(this.database);
  }

  @MessagePattern(EditSettings.pattern)
  async edit(@Payload() order: EditSettings): Promise<SettingsFacts> {
    const given = names.filter((name) => order[name] !== undefined);
    await this.database.query(
      `insert into pipelines.settings (key, value) select key, value from unnest($1::text[], $2::jsonb[]) as given (key, value)
       on conflict (key) do update set value = excluded.value`,
      [given.map((name) => settings[name].key), given.map((name) => JSON.stringify(order[name]))],
    );
    return this.show();
  }
}
