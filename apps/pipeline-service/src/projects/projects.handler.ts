import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  CreateProject,
  DeleteProject,
  EditProject,
  ListNamespaces,
  ListProjects,
  type NamespaceFacts,
  type Page,
  ProjectDeleted,
  type ProjectFacts,
  ShowProject,
} from '#libs/contracts';
import { EventPattern, type Message, MessagePattern } from '#libs/messaging';
import { DataSource } from 'typeorm';
import { Repositories } from '../repositories/repositories.js';
import { ProjectCreation } from './project-creation.js';
import { ProjectEditing } from './project-editing.js';
import { readProject } from './project-facts.js';
import { listNamespaces, listProjects } from './project-lists.js';
import { ProjectRemoval } from './project-removal.js';
import { ProjectSweeper } from './project-sweeper.js';

/** Projects, for the gateway: trigger-api.md §5.1. Whether the actor may, the gateway has asked. */
@Controller()
export class ProjectsHandler {
  constructor(
    private readonly database: DataSource,
    private readonly creation: ProjectCreation,
    private readonly editing: ProjectEditing,
    private readonly removal: ProjectRemoval,
    private readonly sweeper: ProjectSweeper,
  ) {}

  @MessagePattern(CreateProject.pattern)
  create(@Payload() order: CreateProject): Promise<ProjectFacts> {
    return this.creation.create(order);
  }

  @MessagePattern(ShowProject.pattern)
  show(@Payload() { projectId }: ShowProject): Promise<ProjectFacts> {
    return readProject(this.database, projectId);
  }

  @MessagePattern(ListProjects.pattern)
  list(@Payload() query: ListProjects): Promise<Page<ProjectFacts>> {
    return listProjects(this.database, query);
  }

  @MessagePattern(EditProject.pattern)
  edit(@Payload() order: EditProject): Promise<ProjectFacts> {
    return this.editing.edit(order);
  }

  @MessagePattern(DeleteProject.pattern)
  async delete(@Payload() { projectId }: DeleteProject): Promise<null> {
    await this.removal.announce(projectId);
    this.sweeper.wake();
    return null;
  }

  @MessagePattern(ListNamespaces.pattern)
  namespaces(@Payload() query: ListNamespaces): Promise<Page<NamespaceFacts>> {
    return listNamespaces(this.database, query);
  }
}

/** Every replica may have a mirror of a project's repository. */
@Controller()
export class DeletedProjectsHandler {
  constructor(private readonly repositories: Repositories) {}

  @EventPattern(ProjectDeleted.type, { fanOut: true })
  async forget(@Payload() { data }: Message<ProjectDeleted>): Promise<void> {
    await this.repositories.forget(data.projectId);
  }
}
