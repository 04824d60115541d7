import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  ListProtectedBranches,
  notFound,
  type Page,
  ProtectBranch,
  type ProtectedBranchFacts,
  Refusal,
  ShowProtectedBranch,
  UnprotectBranch,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DataSource } from 'typeorm';

const columns = `id, name, push_access_level as "pushAccessLevel", merge_access_level as "mergeAccessLevel",
  allow_force_push as "allowForcePush"`;

/** Which branches are protected, and from whom. Whether the actor may change that, the gateway has asked. */
@Controller()
export class ProtectedBranchesHandler {
  constructor(private readonly database: DataSource) {}

  @MessagePattern(ListProtectedBranches.pattern)
  async list(
    @Payload() { projectId, search, page, perPage }: ListProtectedBranches,
  ): Promise<Page<ProtectedBranchFacts>> {
    const matching = `project_id = $1 and position(lower($2) in lower(name)) > 0`;
    const [{ total }]: [{ total: number }] = await this.database.query(
      `select count(*) as total from pipelines.protected_branches where ${matching}`,
      [projectId, search ?? ''],
    );
    const items: ProtectedBranchFacts[] = await this.database.query(
      `select ${columns} from pipelines.protected_branches where ${matching} order by name, id limit $3 offset $4`,
      [projectId, search ?? '', perPage, (page - 1) * perPage],
    );
    return { items, total };
  }

  @MessagePattern(ShowProtectedBranch.pattern)
  async show(@Payload() { projectId, name }: ShowProtectedBranch): Promise<ProtectedBranchFacts> {
    const [branch]: ProtectedBranchFacts[] = await this.database.query(
      `select ${columns} from pipelines.protected_branches where project_id = $1 and name = $2`,
      [projectId, name],
    );
    if (!branch) throw notFound();
    return branch;
  }

  @MessagePattern(ProtectBranch.pattern)
  async protect(@Payload() order: ProtectBranch): Promise<ProtectedBranchFacts> {
    const [branch]: ProtectedBranchFacts[] = await this.database.query(
      `insert into pipelines.protected_branches (project_id, name, push_access_level, merge_access_level, allow_force_push)
       values ($1, $2, $3, $4, $5) on conflict do nothing returning ${columns}`,
      [order.projectId, order.name, order.pushAccessLevel, order.mergeAccessLevel, order.allowForcePush],
    );
    if (!branch) throw new Refusal(409, { message: `Protected branch '${order.name}' already exists` });
    return branch;
  }

  @MessagePattern(UnprotectBranch.pattern)
  async unprotect(@Payload() { projectId, name }: UnprotectBranch): Promise<null> {
    const [, removed] = (await this.database.query(
      'delete from pipelines.protected_branches where project_id = $1 and name = $2',
      [projectId, name],
    )) as [unknown, number];
    if (removed === 0) throw notFound();
    return null;
  }
}
