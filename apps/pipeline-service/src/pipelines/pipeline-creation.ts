import { compositeStatus, type Job, nextStatuses, type Plan } from '#libs/ci-config';
import type { Status, TriggerOutcome } from '#libs/contracts';
import { Batches, DatabaseClock } from '#libs/persistence';
import type { DataSource } from 'typeorm';
import type { ProjectForCreation, ProjectReader } from '../projects/project-reader.js';
import { protectedRef, type RefProtection } from '../protected-refs/protected-ref.js';
import { CommitNotFound, RefAmbiguous, RefNotFound } from '../repositories/repository-errors.js';
import { shortName } from '../repositories/ref-name.js';
import type { Repositories, ResolvedRef } from '../repositories/repositories.js';
import type { CiConfigs } from './ci-configs.js';
import type { KeptCommits } from './kept-commits.js';
import {
  type CreationRefusal,
  checkProjectAndActor,
  checkProtectedRef,
  checkVariableNames,
  checkVariables,
} from './creation-checks.js';
import type { CreatedPipelines } from './created-pipelines.repository.js';
import type { Decision, PlannedPipeline } from './decision.js';
import { isTooOld, tooOldMessage } from './outcome-life.js';
import { keepsFailedPipeline, type PipelineOrder } from './pipeline-order.js';
import { planningContext } from './planning-context.js';
import { planOf } from './plans.repository.js';
import type { Server } from './predefined-variables.js';
import { unsupportedIn } from './unsupported-jobs.js';

const defaultConfigPath = '.gitlab-ci.yml';

/**
 * From the wish for a pipeline to its outcome, in GitLab's order of checks (trigger-api.md §1.6): first what decides without the repository,
 * then ref and configuration, then rules with the variables, and one shared transaction at the end.
 */
export class PipelineCreation {
  readonly #projects: Batches<number, ProjectForCreation | undefined>;

  constructor(
    private readonly database: DataSource,
    projects: ProjectReader,
    private readonly repositories: Repositories,
    private readonly configs: CiConfigs,
    private readonly created: CreatedPipelines,
    private readonly kept: KeptCommits,
    private readonly server: Server,
    private readonly clock: DatabaseClock,
  ) {
    this.#projects = new Batches(async (ids) => {
      const found = await projects.load(ids);
      return ids.map((id) => found.get(id));
    });
  }

  /**
   * @param alone whether to store in a transaction of its own, see `CreatedPipelines.storeAlone`
   * @throws RepositoryUnreadable; nothing is stored then
   */
  async create(order: PipelineOrder, alone = false): Promise<TriggerOutcome> {
    const project = await this.#projects.add(order.projectId);
    const decision = await this.decide(order, project);
    const outcome = await (alone ? this.created.storeAlone(decision) : this.created.store(decision));
    if (outcome.pipeline && project?.address)
      this.kept.keep(project.address, outcome.pipeline.sha, outcome.pipeline.id);
    return outcome;
  }

  /** What came of a request before; undefined when nothing has yet. */
  async outcomeOf(requestId: string): Promise<TriggerOutcome | undefined> {
    return (await this.created.stored([requestId])).get(requestId);
  }

  private async decide(order: PipelineOrder, project: ProjectForCreation | undefined): Promise<Decision> {
    if (isTooOld(order.receivedAt, this.clock.now())) return refusal(order, { status: 422, message: tooOldMessage });
    if (!project) return refusal(order, { status: 404, message: '404 Not Found' });
    const refused = checkProjectAndActor(checked(project), order);
    if (refused) return refusal(order, refused);

    const found = order.child?.resolved ?? (await this.resolve(project, order));
    const protection = protectedRef(project.protection, found.type, found.ref);
    const forbidden = checkProtectedRef(found.ref, protection.allowed(order.actor.accessLevel, order.actor.admin));
    if (forbidden) return refusal(order, forbidden);
    if (!('sha' in found)) return refusal(order, { status: 400, message: found.message });

    const pipeline = this.outline(project, found, protection);
    const badVariables = checkVariables(checked(project), order);
    if (badVariables)
      return badVariables.failed ? failure(order, pipeline, badVariables) : refusal(order, badVariables);
    const planned = await this.plan(order, project, found, pipeline);
    const badNames = planned.refusal ? null : checkVariableNames(order);
    return {
      ...(badNames ? refusal(order, badNames) : planned),
      rate: { sha: found.sha, limit: order.child ? 0 : project.pipelineLimitPerProjectUserSha },
    };
  }

  /** The ref's commit, or the words in which GitLab says that there is none; a name that is a branch and a tag counts as the branch until then. */
  private async resolve(
    project: ProjectForCreation,
    order: PipelineOrder,
  ): Promise<ResolvedRef | { type: 'branch' | 'tag'; ref: string; message: string }> {
    const missing = (message: string) => ({
      type: order.ref.startsWith('refs/tags/') ? ('tag' as const) : ('branch' as const),
      ref: shortName(order.ref),
      message,
    });
    if (!project.address) return missing('Reference not found');
    try {
      return await this.repositories.resolve(project.address, order.ref);
    } catch (error) {
      if (error instanceof RefNotFound || error instanceof RefAmbiguous || error instanceof CommitNotFound)
        return missing(error.message);
      throw error;
    }
  }

  private outline(project: ProjectForCreation, resolved: ResolvedRef, protection: RefProtection): PlannedPipeline {
    return {
      projectPath: project.path,
      resolved,
      protected: protection.protected,
      name: null,
      plan: null,
      status: 'created',
      iid: null,
      supersedes: false,
    };
  }

  private async plan(
    order: PipelineOrder,
    project: ProjectForCreation,
    resolved: ResolvedRef,
    pipeline: PlannedPipeline,
  ): Promise<Decision> {
    if (!project.address) return refusal(order, { status: 400, message: 'Reference not found' });
    const context = planningContext(this.server, project, resolved, pipeline.protected, order);
    const source = order.child ? { text: order.child.config } : { path: project.ciConfigPath ?? defaultConfigPath };
    const file = await this.configs.load(project.address, resolved.sha, source, {
      ...context,
      reader: order.actor,
      inputs: order.inputs,
    });
    if (!file) return refusal(order, { status: 400, message: 'Missing CI config file' });
    if (!file.parsed.ok) return failure(order, pipeline, configError(file.parsed.problems[0]?.message ?? ''));
    if (file.mentionsIid) {
      pipeline.iid = await this.takeIid(project.id);
      context.predefined = [...context.predefined, { key: 'CI_PIPELINE_IID', value: String(pipeline.iid) }];
    }
    const { config } = file.parsed;
    const planning = { ...context, listFiles: () => file.paths };
    const plan = await this.configs.plan(project.address, resolved.sha, config, planning, order.actor);
    return decideByPlan(order, project, pipeline, plan);
  }

  /** Only configurations that look at it pay for a number before it is certain that there will be a pipeline. */
  private async takeIid(projectId: number): Promise<number> {
    const [[row]] = (await this.database.query(
      'update pipelines.projects set next_iid = next_iid + 1 where id = $1 returning next_iid - 1 as iid',
      [projectId],
    )) as [{ iid: number }[], number];
    return row?.iid ?? 0;
  }
}

/** A job of a resource group that may run waits for its turn first. */
function throughResourceGroup(status: Status, { resourceGroup }: Job): Status {
  return status === 'pending' && resourceGroup ? 'waiting_for_resource' : status;
}

function checked(project: ProjectForCreation) {
  return { ...project, variablesMinimumRole: project.pipelineVariablesRole };
}

function refusal(order: PipelineOrder, reason: CreationRefusal): Decision {
  return { order, pipeline: null, refusal: reason };
}

function failure(order: PipelineOrder, pipeline: PlannedPipeline, reason: CreationRefusal): Decision {
  return { order, pipeline: keepsFailedPipeline(order) ? pipeline : null, refusal: reason };
}

function configError(message: string, failureReason = 'config_error'): CreationRefusal {
  return { status: 422, message, failed: { status: 'failed', failureReason, yamlErrors: message } };
}

/** What leaves a failed pipeline can be looked up there; what means "nothing to run here" leaves nothing (trigger-api.md §1.6). */
function decideByPlan(
  order: PipelineOrder,
  project: ProjectForCreation,
  pipeline: PlannedPipeline,
  plan: Plan,
): Decision {
  if (!plan.ok) {
    const message = plan.errors[0] ?? '';
    const filtered = plan.reason === 'filtered_by_rules' || plan.reason === 'filtered_by_workflow_rules';
    return filtered
      ? refusal(order, { status: 400, message })
      : failure(order, pipeline, configError(message, plan.reason));
  }
  const unsupported = unsupportedIn(plan.jobs);
  if (unsupported !== null) return failure(order, pipeline, configError(unsupported));
  const first = nextStatuses(
    plan.jobs.map((job) => ({ ...job, status: 'created' as const, needs: job.needs.map(({ name }) => name) })),
  );
  const jobs = plan.jobs.map((job) => ({
    job,
    status: throughResourceGroup(first.get(job.name) ?? 'created', job),
    timeout: job.timeout ?? project.timeoutSeconds,
  }));
  const status =
    compositeStatus(jobs.map(({ job, status }) => ({ status, allowFailure: job.allowFailure }))) ?? 'skipped';
  return {
    order,
    pipeline: {
      ...pipeline,
      name: plan.name ?? null,
      plan: planOf(project.id, jobs, plan.autoCancel),
      status,
      supersedes:
        !order.child && (plan.autoCancel !== undefined || plan.jobs.some(({ interruptible }) => interruptible)),
    },
    refusal: null,
  };
}
