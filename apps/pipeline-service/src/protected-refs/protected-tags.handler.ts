import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  ListProtectedTags,
  notFound,
  type Page,
  type ProtectedTagFacts,
  ProtectTag,
  Refusal,
  ShowProtectedTag,
  UnprotectTag,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DataSource } from 'typeorm';

const columns = 'id, name, create_access_level as "createAccessLevel"';

/** Which tags are protected, and from whom. Whether the actor may change that, the gateway has asked. */
@Controller()
export class ProtectedTagsHandler {
  constructor(private readonly database: DataSource) {}

  @MessagePattern(ListProtectedTags.pattern)
  async list(@Payload() { projectId, page, perPage }: ListProtectedTags): Promise<Page<ProtectedTagFacts>> {
    const [{ total }]: [{ total: number }] = await this.database.query(
      'select count(*) as total from pipelines.protected_tags where project_id = $1',
      [projectId],
    );
    const items: ProtectedTagFacts[] = await this.database.query(
      `select ${columns} from pipelines.protected_tags where project_id = $1 order by name, id limit $2 offset $3`,
      [projectId, perPage, (page - 1) * perPage],
    );
    return { items, total };
  }

  @MessagePattern(ShowProtectedTag.pattern)
  async show(@Payload() { projectId, name }: ShowProtectedTag): Promise<ProtectedTagFacts> {
    const [tag]: ProtectedTagFacts[] = await this.database.query(
      `select ${columns} from pipelines.protected_tags where project_id = $1 and name = $2`,
      [projectId, name],
    );
    if (!tag) throw notFound();
    return tag;
  }

  @MessagePattern(ProtectTag.pattern)
  async protect(@Payload() { projectId, name, createAccessLevel }: ProtectTag): Promise<ProtectedTagFacts> {
    const [tag]: ProtectedTagFacts[] = await this.database.query(
      `insert into pipelines.protected_tags (project_id, name, create_access_level) values ($1, $2, $3)
       on conflict do nothing returning ${columns}`,
      [projectId, name, createAccessLevel],
    );
    if (!tag) throw new Refusal(409, { message: `Protected tag '${name}' already exists` });
    return tag;
  }

  @MessagePattern(UnprotectTag.pattern)
  async unprotect(@Payload() { projectId, name }: UnprotectTag): Promise<null> {
    const [, removed] = (await this.database.query(
      'delete from pipelines.protected_tags where project_id = $1 and name = $2',
      [projectId, name],
    )) as [unknown, number];
    if (removed === 0) throw notFound();
    return null;
  }
}
