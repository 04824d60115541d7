import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { type CiConfig, mergedYaml, type ParsedConfig, type Plan, planPipeline } from '#libs/ci-config';
import { apiVersion, LintConfig, type LintFacts, type LintJobFacts, projectNotFound, Refusal } from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { PipelineServiceConfig } from '../config.js';
import { CiConfigs } from '../pipelines/ci-configs.js';
import { planningContext } from '../pipelines/planning-context.js';
import { type ProjectForCreation, ProjectReader } from '../projects/project-reader.js';
import { protectedRef } from '../protected-refs/protected-ref.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';
import { Repositories, type ResolvedRef } from '../repositories/repositories.js';
import { CommitNotFound, RefAmbiguous, RefNotFound, RepositoryUnreadable } from '../repositories/repository-errors.js';

/** Says what is wrong with a configuration: everything at once, where creating a pipeline would name the first (ci-config.md §7). */
@Controller()
export class LintHandler {
  constructor(
    private readonly projects: ProjectReader,
    private readonly repositories: Repositories,
    private readonly configs: CiConfigs,
    private readonly config: PipelineServiceConfig,
  ) {}

  @MessagePattern(LintConfig.pattern)
  async lint(@Payload() request: LintConfig): Promise<LintFacts> {
    const project = (await this.projects.load([request.projectId])).get(request.projectId);
    if (!project) throw projectNotFound();
    if (!project.address) return invalid(['Reference not found']);
    try {
      return await this.#lint(request, project, project.address);
    } catch (error) {
      if (error instanceof RefNotFound || error instanceof RefAmbiguous || error instanceof CommitNotFound)
        return invalid([error.message]);
      if (error instanceof RepositoryUnreadable)
        throw new Refusal(503, { message: error.message }, { 'Retry-After': '5' });
      throw error;
    }
  }

  async #lint(request: LintConfig, project: ProjectForCreation, address: RepositoryAddress): Promise<LintFacts> {
    const wanted = request.dryRun ? request.ref : (request.contentRef ?? request.ref);
    const resolved = await this.repositories.resolve(address, wanted ?? project.defaultBranch);
    const context = planningContext(
      { externalUrl: this.config.externalUrl, ...apiVersion },
      project,
      resolved,
      protectedRef(project.protection, resolved.type, resolved.ref).protected,
      // As for a push (architecture.md §4): nobody triggered anything.
      { source: 'push', trigger: null, actor: request.actor, variables: [], receivedAt: new Date().toISOString() },
    );
    const text = request.content ?? (await this.#file(address, request, project, resolved));
    if (text === null) return invalid(['Missing CI config file']);
    const { parsed } = await this.configs.compile(address, resolved.sha, text, context);
    const paths = await this.configs.paths(address, resolved.sha, parsed);
    const plan = parsed.ok ? planPipeline(parsed.config, { ...context, listFiles: () => paths }) : null;
    return lintFacts(parsed, plan, request);
  }

  async #file(
    address: RepositoryAddress,
    { contentRef }: LintConfig,
    project: ProjectForCreation,
    resolved: ResolvedRef,
  ): Promise<string | null> {
    const at =
      contentRef && contentRef !== resolved.ref ? await this.repositories.resolve(address, contentRef) : resolved;
    return (await this.repositories.readFile(address, at.sha, project.ciConfigPath ?? '.gitlab-ci.yml'))?.text ?? null;
  }
}

function invalid(errors: string[]): LintFacts {
  return { valid: false, errors, warnings: [], mergedYaml: null, includes: [], jobs: null };
}

function lintFacts(parsed: ParsedConfig, plan: Plan | null, { dryRun, includeJobs }: LintConfig): LintFacts {
  const problems = parsed.ok
    ? []
    : parsed.problems.map(({ message, line }) => (line === undefined ? message : `${message} (line ${line})`));
  // Rules that leave nothing to run are no fault of the file, unless somebody asks how a pipeline would go.
  const refused = plan && !plan.ok && (dryRun || plan.reason === 'config_error') ? plan.errors : [];
  const errors = [...problems, ...refused];
  return {
    valid: errors.length === 0,
    errors,
    warnings: plan?.warnings ?? [],
    mergedYaml: mergedYaml(parsed),
    includes: parsed.includes.map((include) => ({ type: 'local', location: String(include) })),
    jobs: includeJobs ? jobsOf(parsed, plan, dryRun) : null,
  };
}

/** All jobs of the file, or, in a dry run, those that the pipeline would have. */
function jobsOf(parsed: ParsedConfig, plan: Plan | null, dryRun: boolean): LintJobFacts[] {
  if (!parsed.ok) return [];
  if (!dryRun) return parsed.config.jobs.map(configured);
  return plan?.ok
    ? plan.jobs.map((job) => ({
        ...scriptsOf(job.options),
        name: job.name,
        stage: job.stage,
        tagList: job.tags,
        environment: job.environment?.name ?? null,
        when: job.when,
        allowFailure: job.allowFailure,
        only: null,
        except: null,
        needs: job.needs.length > 0 ? job.needs.map(({ name }) => ({ name })) : null,
      }))
    : [];
}

function configured(job: CiConfig['jobs'][number]): LintJobFacts {
  return {
    ...scriptsOf(job.options),
    name: job.name,
    stage: job.stage,
    tagList: job.tags,
    environment: job.environment?.name ?? null,
    when: job.when ?? 'on_success',
    allowFailure: job.allowFailure?.always ?? false,
    only: null,
    except: null,
    needs: job.needs ? job.needs.list.map(({ name }) => ({ name })) : null,
  };
}

function scriptsOf({
  beforeScript,
  script,
  afterScript,
}: {
  beforeScript: string[];
  script: string[];
  afterScript: string[];
}) {
  return { beforeScript, script, afterScript };
}
