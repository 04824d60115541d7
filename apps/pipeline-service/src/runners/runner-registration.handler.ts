import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { forbidden, RegisterRunner, registrationGone, ResetRegistrationToken } from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DatabaseClock, retryingTransaction } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { readSettings } from '../settings/settings.js';
import { insertRunner } from './runners.repository.js';

/** Runners that make themselves known (runner-api.md §1.3), as long as administrators allow it. */
@Controller()
export class RunnerRegistrationHandler {
  constructor(
    private readonly database: DataSource,
    private readonly clock: DatabaseClock,
  ) {}

  @MessagePattern(RegisterRunner.pattern)
  async register(@Payload() order: RegisterRunner): Promise<{ id: number }> {
    if (!(await readSettings(this.database)).allowRunnerRegistrationToken) throw registrationGone();
    return retryingTransaction(this.database, async (manager) => {
      const [token] = (await manager.query(
        `select project_id as "projectId" from pipelines.registration_tokens where token_hash = decode($1, 'hex') for share`,
        [order.registrationTokenHash],
      )) as { projectId: number | null }[];
      if (!token) throw forbidden();
      const { projectId } = token;
      const runnerType = projectId === null ? 'instance_type' : 'project_type';
      return {
        id: await insertRunner(manager, { ...order, runnerType, projectId, creatorId: null }, this.clock.now()),
      };
    });
  }

  @MessagePattern(ResetRegistrationToken.pattern)
  async reset(@Payload() { projectId, tokenHash }: ResetRegistrationToken): Promise<null> {
    await this.database.query(
      `insert into pipelines.registration_tokens (project_id, token_hash, created_at) values ($1, decode($2, 'hex'), $3)
       on conflict (coalesce(project_id, 0)) do update set token_hash = excluded.token_hash, created_at = excluded.created_at`,
      [projectId ?? null, tokenHash, this.clock.now()],
    );
    return null;
  }
}
