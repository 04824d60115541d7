import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  badRequest,
  type CallerNames,
  CreateTrigger,
  DeleteTrigger,
  forbidden,
  ListTriggers,
  NameCallers,
  notFound,
  type Page,
  preconditionFailed,
  ShowTrigger,
  type TriggerFacts,
  TriggerTokenAdded,
  TriggerTokenRevoked,
  UpdateTrigger,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { Outbox } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { expiryProblem } from '../expiry.js';
import { Trigger } from './trigger.entity.js';
import { ownsAsMaintainer, triggerFacts } from './trigger.facts.js';

const maximumPerProject = 25_000;

/** Adding, showing, describing and revoking trigger tokens: trigger-api.md §2. Whether the actor is a Maintainer, the gateway has asked. */
@Controller()
export class TriggersHandler {
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
  ) {}

  @MessagePattern(CreateTrigger.pattern)
  create(@Payload() order: CreateTrigger): Promise<TriggerFacts> {
    const problem = order.expiresAt && expiryProblem(new Date(order.expiresAt), new Date());
    if (problem) throw badRequest(JSON.stringify({ expires_at: [problem] }));
    return this.outbox.transaction(async (manager, say) => {
      // Of calls at the same moment, each counts the ones before it.
      await manager.query(`select pg_advisory_xact_lock(hashtext('triggers of a project'), $1::bigint::int)`, [
        order.projectId % 2_147_483_647,
      ]);
      const [added]: { id: number }[] = await manager.query(
        `insert into tokens.triggers
           (request_id, project_id, owner_id, description, token_hash, short_token, sealed_token, expires_at)
         select $1, $2, $3, $4, decode($5, 'hex'), $6, $7, $8
          where (select count(*) from tokens.triggers where project_id = $2) < $9
         on conflict do nothing returning id`,
        [
          order.requestId,
          order.projectId,
          order.actor.id,
          order.description,
          order.tokenHash,
          order.shortToken,
          order.sealedToken ?? null,
          order.expiresAt ?? null,
          maximumPerProject,
        ],
      );
      if (added) {
        say(TriggerTokenAdded, { triggerId: added.id, projectId: order.projectId, ownerId: order.actor.id });
      }
      const trigger = await manager.findOne(Trigger, {
        where: { requestId: order.requestId },
        relations: { owner: true },
      });
      if (!trigger) {
        throw badRequest(
          JSON.stringify({ base: [`Maximum number of pipeline triggers (${maximumPerProject}) exceeded`] }),
        );
      }
      return triggerFacts(trigger, order.actor);
    });
  }

  @MessagePattern(ListTriggers.pattern)
  async list(@Payload() { projectId, actor, page, perPage }: ListTriggers): Promise<Page<TriggerFacts>> {
    const [triggers, total] = await this.database.getRepository(Trigger).findAndCount({
      where: { projectId },
      relations: { owner: true },
      order: { id: 'ASC' },
      skip: (page - 1) * perPage,
      take: perPage,
    });
    return { items: triggers.map((trigger) => triggerFacts(trigger, actor)), total };
  }

  @MessagePattern(ShowTrigger.pattern)
  async show(@Payload() { projectId, triggerId, actor }: ShowTrigger): Promise<TriggerFacts> {
    return triggerFacts(await this.find(projectId, triggerId), actor);
  }

  @MessagePattern(NameCallers.pattern)
  async nameCallers(@Payload() { projectId, triggerIds, userIds }: NameCallers): Promise<CallerNames> {
    const [names] = (await this.database.query(
      `select
         (select coalesce(json_agg(json_build_object('id', id, 'shortToken', short_token, 'description', description)), '[]')
          from tokens.triggers where project_id = $1 and id = any($2::bigint[])) as triggers,
         (select coalesce(json_agg(json_build_object('id', id, 'username', username, 'name', name, 'state', state)), '[]')
          from tokens.users where id = any($3::bigint[])) as users`,
      [projectId, triggerIds, userIds],
    )) as [CallerNames];
    return names;
  }

  @MessagePattern(UpdateTrigger.pattern)
  async update(@Payload() { projectId, triggerId, actor, description }: UpdateTrigger): Promise<TriggerFacts> {
    // The token is looked for before anyone is refused, so that a Developer learns which ids there are: as in GitLab.
    const found = await this.find(projectId, triggerId);
    if (!ownsAsMaintainer(found, actor)) {
      throw forbidden('The current user is not authorized to update the pipeline trigger token');
    }
    await this.database
      .getRepository(Trigger)
      .update({ id: triggerId }, { description: description ?? null, updatedAt: () => 'now()' });
    return triggerFacts(await this.find(projectId, triggerId), actor);
  }

  /** Committed before the answer leaves, and the gateways read credentials from the same database: revoked everywhere from then on. */
  @MessagePattern(DeleteTrigger.pattern)
  delete(@Payload() { projectId, triggerId, unmodifiedSince }: DeleteTrigger): Promise<null> {
    return this.outbox.transaction(async (manager, say) => {
      const trigger = await manager.findOne(Trigger, {
        where: { id: triggerId, projectId },
        lock: { mode: 'pessimistic_write' },
      });
      if (!trigger) throw notFound();
      if (unmodifiedSince && trigger.updatedAt > new Date(unmodifiedSince)) throw preconditionFailed();
      await manager.delete(Trigger, { id: triggerId });
      say(TriggerTokenRevoked, { triggerId, projectId });
      return null;
    });
  }

  private async find(projectId: number, triggerId: number): Promise<Trigger> {
    const trigger = await this.database
      .getRepository(Trigger)
      .findOne({ where: { id: triggerId, projectId }, relations: { owner: true } });
    if (!trigger) throw notFound();
    return trigger;
  }
}
