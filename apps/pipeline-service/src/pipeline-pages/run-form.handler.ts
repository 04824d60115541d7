import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { type DescribedVariable, readRunForm } from '#libs/ci-config';
import { apiVersion, projectNotFound, Refusal, type RunFormFacts, ShowRunForm } from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { PipelineServiceConfig } from '../config.js';
import { problemText } from '../lint/problem-text.js';
import { CiConfigs } from '../pipelines/ci-configs.js';
import { planningContext } from '../pipelines/planning-context.js';
import { type ProjectForCreation, ProjectReader } from '../projects/project-reader.js';
import { protectedRef } from '../protected-refs/protected-ref.js';
import { Repositories, type ResolvedRef } from '../repositories/repositories.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';
import {
  CommitNotFound,
  FileTooLarge,
  RefAmbiguous,
  RefNotFound,
  RepositoryUnreadable,
} from '../repositories/repository-errors.js';

/** What a person who runs a pipeline is asked for: `spec:inputs`, and the variables that have a description. */
@Controller()
export class RunFormHandler {
  constructor(
    private readonly projects: ProjectReader,
    private readonly repositories: Repositories,
    private readonly configs: CiConfigs,
    private readonly config: PipelineServiceConfig,
  ) {}

  @MessagePattern(ShowRunForm.pattern)
  async show(@Payload() { projectId, ref, actor }: ShowRunForm): Promise<RunFormFacts> {
    const project = (await this.projects.load([projectId])).get(projectId);
    if (!project) throw projectNotFound();
    try {
      if (!project.address) throw new RefNotFound();
      const resolved = await this.repositories.resolve(project.address, ref ?? project.defaultBranch);
      return await this.#form(project, project.address, resolved, actor);
    } catch (error) {
      if (error instanceof RepositoryUnreadable)
        throw new Refusal(503, { message: error.message }, { 'Retry-After': '5' });
      if (isProblem(error)) return { inputs: [], variables: [], problems: [error.message] };
      throw error;
    }
  }

  async #form(
    project: ProjectForCreation,
    address: RepositoryAddress,
    resolved: ResolvedRef,
    actor: ShowRunForm['actor'],
  ): Promise<RunFormFacts> {
    const path = project.ciConfigPath ?? '.gitlab-ci.yml';
    const file = await this.repositories.readFile(address, resolved.sha, path);
    if (!file) return { inputs: [], variables: [], problems: ['Missing CI config file'] };
    const { inputs, variables } = readRunForm(file.text);
    // Nobody can say what the configuration becomes before these are given.
    if (inputs.some(({ required }) => required)) return { inputs, variables: asked(variables), problems: [] };
    const context = planningContext(
      { externalUrl: this.config.externalUrl, ...apiVersion },
      project,
      resolved,
      protectedRef(project.protection, resolved.type, resolved.ref).protected,
      { source: 'api', trigger: null, actor, variables: [], receivedAt: new Date().toISOString() },
    );
    const config = await this.configs.load(address, resolved.sha, { path }, { ...context, reader: actor });
    if (!config) return { inputs, variables: [], problems: ['Missing CI config file'] };
    const { parsed } = config;
    if (!parsed.ok) return { inputs, variables: [], problems: parsed.problems.map(problemText) };
    return { inputs, variables: asked(parsed.config.described), problems: [] };
  }
}

function asked(variables: DescribedVariable[]): RunFormFacts['variables'] {
  return variables.map((variable) => ({ ...variable, options: variable.options ?? null }));
}

/** What the one who chose the ref can be told. */
function isProblem(error: unknown): error is Error {
  return [RefNotFound, RefAmbiguous, CommitNotFound, FileTooLarge].some((kind) => error instanceof kind);
}
