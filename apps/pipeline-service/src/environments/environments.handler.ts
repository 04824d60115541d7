import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { type EnvironmentFacts, ListEnvironments, notFound, type Page, ShowEnvironment } from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DataSource } from 'typeorm';
import { findEnvironment, listEnvironments } from './environments.repository.js';

/** Questions about environments, which jobs make by deploying to them. */
@Controller()
export class EnvironmentsHandler {
  constructor(private readonly database: DataSource) {}

  @MessagePattern(ListEnvironments.pattern)
  list(@Payload() request: ListEnvironments): Promise<Page<EnvironmentFacts>> {
    return listEnvironments(this.database, request);
  }

  @MessagePattern(ShowEnvironment.pattern)
  async show(@Payload() { projectId, environmentId }: ShowEnvironment): Promise<EnvironmentFacts> {
    const found = await findEnvironment(this.database, projectId, environmentId);
    if (!found) throw notFound();
    return found;
  }
}
