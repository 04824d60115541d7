import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { DataSource } from 'typeorm';
import { ProjectDeleted } from '#libs/contracts';
import { EventPattern, type Message } from '#libs/messaging';

/** What the service knows of a project goes with it; nobody is told token by token, since the project's own event says it all. */
@Controller()
export class DeletedProjectsHandler {
  constructor(private readonly database: DataSource) {}

  @EventPattern(ProjectDeleted.type)
  async forget(@Payload() { data: { projectId } }: Message<ProjectDeleted>): Promise<void> {
    await this.database.query('delete from tokens.triggers where project_id = $1', [projectId]);
    await this.database.query('delete from tokens.members where project_id = $1', [projectId]);
  }
}
