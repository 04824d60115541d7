import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  type CiConfig,
  mergedYaml,
  type ParsedConfig,
  type PipelineContext,
  type Plan,
  type Problem,
} from '#libs/ci-config';
import { apiVersion, LintConfig, type LintFacts, type LintJobFacts, projectNotFound, Refusal } from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { PipelineServiceConfig } from '../config.js';
import { CiConfigs, type IncludeContext } from '../pipelines/ci-configs.js';
import { planningContext } from '../pipelines/planning-context.js';
import { noSha } from '../pipelines/predefined-variables.js';
import { unsupportedIn } from '../pipelines/unsupported-jobs.js';
import { type ProjectForCreation, ProjectReader } from '../projects/project-reader.js';
import { protectedRef } from '../protected-refs/protected-ref.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';
import { Repositories, type ResolvedRef } from '../repositories/repositories.js';
import { CommitNotFound, RefAmbiguous, RefNotFound, RepositoryUnreadable } from '../repositories/repository-errors.js';
import { problemText } from './problem-text.js';

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
    try {
      return await (project.address
        ? this.#lint(request, project, project.address)
        : this.#lintAlone(request, project));
    } catch (error) {
      if (error instanceof RefNotFound || error instanceof RefAmbiguous || error instanceof CommitNotFound)
        return invalid([error.message]);
      if (error instanceof RepositoryUnreadable)
        throw new Refusal(503, { message: error.message }, { 'Retry-After': '5' });
      throw error;
    }
  }

  async #lint(request: LintConfig, project: ProjectForCreation, address: RepositoryAddress): Promise<LintFacts> {
    const { content, contentRef, dryRun, ref } = request;
    const branchOrTag = contentRef && !isCommitId(contentRef) ? contentRef : null;
    const wanted = dryRun ? ref : (branchOrTag ?? ref);
    const resolved = await this.repositories.resolve(address, wanted ?? project.defaultBranch);
    const sha = content == null ? await this.#commitOf(address, contentRef, resolved) : resolved.sha;
    const path = project.ciConfigPath ?? '.gitlab-ci.yml';
    const text = content ?? (await this.repositories.readFile(address, sha, path))?.text;
    if (text === undefined) return invalid(['Missing CI config file']);
    const context = this.#context(request, project, resolved);
    const { parsed } = await this.configs.compile(address, sha, text, including(request, context));
    const paths = await this.configs.paths(address, sha, parsed);
    const plan = parsed.ok
      ? await this.configs.plan(address, sha, parsed.config, { ...context, listFiles: () => paths }, request.actor)
      : null;
    return lintFacts(parsed, plan, request, { project: project.path, sha });
  }

  /** A text without local includes needs no repository, unless somebody asks how a pipeline for a ref would go. */
  async #lintAlone(request: LintConfig, project: ProjectForCreation): Promise<LintFacts> {
    if (request.content == null || request.dryRun) throw new RefNotFound();
    const context = this.#context(request, project, unborn(project.defaultBranch));
    const { parsed } = await this.configs.compile(null, noSha, request.content, including(request, context));
    const plan = parsed.ok ? await this.configs.plan(null, noSha, parsed.config, context, request.actor) : null;
    return lintFacts(parsed, plan, request, { project: project.path, sha: null });
  }

  #context({ actor }: LintConfig, project: ProjectForCreation, resolved: ResolvedRef): PipelineContext {
    return planningContext(
      { externalUrl: this.config.externalUrl, ...apiVersion },
      project,
      resolved,
      protectedRef(project.protection, resolved.type, resolved.ref).protected,
      // As for a push (architecture.md §4): nobody triggered anything.
      { source: 'push', trigger: null, actor, variables: [], receivedAt: new Date().toISOString() },
    );
  }

  /** Triggers start on branches and tags alone; a file may be looked at in any commit. */
  async #commitOf(
    address: RepositoryAddress,
    contentRef: string | null | undefined,
    resolved: ResolvedRef,
  ): Promise<string> {
    if (!contentRef || contentRef === resolved.ref) return resolved.sha;
    if (isCommitId(contentRef)) return contentRef.toLowerCase();
    return (await this.repositories.resolve(address, contentRef)).sha;
  }
}

function including({ actor, inputs }: LintConfig, context: PipelineContext): IncludeContext {
  return { ...context, reader: actor, inputs };
}

function isCommitId(text: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/i.test(text);
}

/** A branch on which nothing was committed yet. */
function unborn(branch: string): ResolvedRef {
  const nobody = { authorName: '', authorEmail: '', committerName: '', committerEmail: '' };
  const never = { authoredAt: new Date(0).toISOString(), committedAt: new Date(0).toISOString() };
  return {
    ref: branch,
    type: 'branch',
    sha: noSha,
    commit: { sha: noSha, parentIds: [], message: '', ...nobody, ...never },
  };
}

function invalid(errors: string[]): LintFacts {
  const problems = errors.map((message) => ({ message, path: null, line: null, file: null }));
  return { valid: false, errors, problems, warnings: [], mergedYaml: null, includes: [], jobs: null, leftOut: null };
}

/** @param at where the configuration lies */
function lintFacts(
  parsed: ParsedConfig,
  plan: Plan | null,
  { dryRun, includeJobs }: LintConfig,
  at: { project: string; sha: string | null },
): LintFacts {
  // Rules that leave nothing to run are no fault of the file, unless somebody asks how a pipeline would go.
  const refused = plan && !plan.ok && (dryRun || plan.reason === 'config_error') ? plan.errors : [];
  const unsupported = plan?.ok ? unsupportedIn(plan.jobs) : null;
  const problems = [
    ...(parsed.ok ? [] : parsed.problems),
    ...[...refused, ...(unsupported === null ? [] : [unsupported])].map((message): Problem => ({ message })),
  ];
  return {
    valid: problems.length === 0,
    errors: problems.map(problemText),
    problems: problems.map(({ message, path = null, line = null, file = null }) => ({ message, path, line, file })),
    warnings: plan?.warnings ?? [],
    mergedYaml: mergedYaml(parsed),
    includes: parsed.includes.map(({ type, location, project = null, ref = null }) => ({
      type,
      location,
      project,
      ref,
      contextProject: at.project,
      contextSha: at.sha,
    })),
    jobs: includeJobs ? jobsOf(parsed, plan, dryRun) : null,
    leftOut: dryRun && plan ? (plan.leftOut ?? []) : null,
  };
}

/** All jobs of the file, or, in a dry run, those that the pipeline would have. */
function jobsOf(parsed: ParsedConfig, plan: Plan | null, dryRun: boolean): LintJobFacts[] {
  if (!parsed.ok) return [];
  if (!dryRun) return parsed.config.jobs.map((job) => configured(job, parsed.config));
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

function configured(job: CiConfig['jobs'][number], { workflow }: CiConfig): LintJobFacts {
  const byDefault = job.rules === undefined && !workflow.rules ? { refs: ['branches', 'tags'] } : null;
  return {
    ...scriptsOf(job.options),
    name: job.name,
    stage: job.stage,
    tagList: job.tags,
    environment: job.environment?.name ?? null,
    when: job.when ?? 'on_success',
    allowFailure: job.allowFailure?.always ?? false,
    only: refsOf(job.only) ?? byDefault,
    except: refsOf(job.except),
    needs: job.needs ? job.needs.list.map(({ name }) => ({ name })) : null,
  };
}

/** The refs of `only` or `except`, as written. */
function refsOf(policy: CiConfig['jobs'][number]['only']): { refs: string[] } | null {
  if (!policy?.refs) return null;
  return { refs: policy.refs.map(({ name, path }) => (path === undefined ? name : `${name}@${path}`)) };
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
