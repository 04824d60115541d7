import { AccessLevel, type Actor } from '#libs/contracts';
import { uuidv7 } from '#libs/persistence';
import type { Accounts } from '../accounts.js';
import { dependenciesOf, MissingDependency, readEarlierJobs } from '../artifacts/job-dependencies.js';
import type { PipelineOrder } from '../pipelines/pipeline-order.js';
import type { Sql } from '../pipelines/pipelines.repository.js';
import type { Server } from '../pipelines/predefined-variables.js';
import type { ProjectForCreation, ProjectReader } from '../projects/project-reader.js';
import type { ResolvedRef } from '../repositories/repositories.js';
import type { PipelineJob } from '../runners/pipeline-job.repository.js';
import { countDescendants, newestPipelineOf, readUpstreams, type Upstream } from './bridges.repository.js';
import { downstreamVariables } from './downstream-variables.js';

/** Why a job that stands for another pipeline fails, in GitLab's words. */
export type BridgeFailure =
  | 'downstream_bridge_project_not_found'
  | 'downstream_pipeline_creation_failed'
  | 'insufficient_bridge_permissions'
  | 'insufficient_upstream_permissions'
  | 'invalid_bridge_trigger'
  | 'pipeline_loop_detected'
  | 'reached_max_descendant_pipelines_depth'
  | 'reached_max_pipeline_hierarchy_size'
  | 'upstream_bridge_project_not_found';

/** A child may have children, and these may not. */
const deepestChild = 2;
/** How often pipelines that start each other may come by the same project and ref. */
const mostVisits = 2;
/** Pipelines that may come of one. */
const largestFamily = 1_000;

/** What a job that stands for another pipeline wants, once everything was asked that decides whether it may (ci-config.md §6.5). */
export class BridgeOrders {
  constructor(
    private readonly sql: Sql,
    private readonly projects: ProjectReader,
    private readonly accounts: Accounts,
    private readonly server: Server,
  ) {}

  /**
   * The pipeline that a trigger job starts. The same job always asks under the same request id, so it starts one.
   * @param queuedAt when the job became due, which counts as the time of the request
   * @throws RequestTimeout, PublishFailed when nobody answers who may
   */
  async downstream(job: PipelineJob, queuedAt: Date): Promise<PipelineOrder | BridgeFailure> {
    const { trigger } = job.definition;
    const own = (await this.projects.load([job.projectId])).get(job.projectId);
    if (!trigger || !own) return 'invalid_bridge_trigger';
    const { to } = trigger;
    const target = 'config' in to ? own : await this.projects.byPath(to.project);
    const actor = target && job.user && (await this.accounts.actorOn(target.id, job.user.id));
    if (!target || !actor || !isSeenBy(target, actor)) return 'downstream_bridge_project_not_found';
    if (target === own ? !('config' in to) : target.id === own.id) return 'invalid_bridge_trigger';
    if (actor.accessLevel < AccessLevel.Developer || actor.state !== 'active') return 'insufficient_bridge_permissions';
    const failure = await this.#familyFault(job, 'config' in to);
    if (failure) return failure;
    return {
      requestId: requestIdOf(job.id, queuedAt),
      projectId: target.id,
      ...('config' in to
        ? { ref: fullRef(job), source: 'parent_pipeline', child: { resolved: resolvedRef(job), config: to.config } }
        : { ref: to.branch ?? target.defaultBranch, source: 'pipeline' }),
      channel: null,
      trigger: null,
      upstream: { projectId: own.id, pipelineId: job.pipeline.id, jobId: job.id },
      actor,
      variables: downstreamVariables(await this.#withDependencies(job), own, this.server),
      ...(trigger.inputs && { inputs: trigger.inputs }),
      receivedAt: queuedAt.toISOString(),
    };
  }

  /** The id of the pipeline whose status a job with `needs: pipeline` takes over: the newest of the other project's default branch. */
  async mirrored(job: PipelineJob): Promise<number | BridgeFailure> {
    const project = await this.projects.byPath(job.definition.mirrors ?? '');
    const actor = project && job.user && (await this.accounts.actorOn(project.id, job.user.id));
    if (!project || !actor || !isSeenBy(project, actor)) return 'upstream_bridge_project_not_found';
    const open = project.visibility !== 'private' && project.publicJobs && project.buildsAccessLevel === 'enabled';
    if (actor.accessLevel < AccessLevel.Reporter && !open) return 'insufficient_upstream_permissions';
    return (await newestPipelineOf(this.sql, project.id, project.defaultBranch)) ?? 'upstream_bridge_project_not_found';
  }

  async #familyFault(job: PipelineJob, child: boolean): Promise<BridgeFailure | null> {
    const chain = await readUpstreams(this.sql, job.pipeline.id);
    if (child && depthOf(chain) >= deepestChild) return 'reached_max_descendant_pipelines_depth';
    if (!child && hasLoop(chain)) return 'pipeline_loop_detected';
    const first = chain.at(-1)?.id ?? job.pipeline.id;
    const family = await countDescendants(this.sql, first, largestFamily);
    return family >= largestFamily ? 'reached_max_pipeline_hierarchy_size' : null;
  }

  /** Their dotenv variables may be referred to. */
  async #withDependencies(job: PipelineJob) {
    const earlier = await readEarlierJobs(this.sql, job.pipeline.id);
    try {
      return { ...job, dependencies: dependenciesOf(job.definition, earlier) };
    } catch (error) {
      if (error instanceof MissingDependency) return { ...job, dependencies: [] };
      throw error;
    }
  }
}

/**
 * Deliveries repeat, and the job may be tried again after a crash: what is asked for is the same. Sorts by time like the ids of other requests, among
 * which it counts for the limit of pipelines, and with which it is purged.
 */
export function requestIdOf(jobId: number, queuedAt: Date): string {
  const bytes = Buffer.alloc(10);
  bytes.writeBigUInt64BE(BigInt(jobId), 2);
  return uuidv7(queuedAt.getTime(), bytes);
}

function isSeenBy({ visibility }: ProjectForCreation, { accessLevel, state }: Actor): boolean {
  return state === 'active' && (visibility !== 'private' || accessLevel > AccessLevel.None);
}

/** How many generations of children lead to a pipeline. */
function depthOf(chain: Upstream[]): number {
  const first = chain.findIndex(({ source }) => source !== 'parent_pipeline');
  return first === -1 ? chain.length : first;
}

/**
 * The same project, ref and source for the third time: it would go round for ever. Once around may be meant, and children stand beside their
 * parents rather than on the way (GitLab's `has_cyclic_dependency?`).
 */
export function hasLoop(chain: readonly Upstream[]): boolean {
  const visits = new Map<string, number>();
  for (const { projectId, ref, source } of chain) {
    if (source === 'parent_pipeline') continue;
    const station = `${projectId} ${source} ${ref}`;
    const times = (visits.get(station) ?? 0) + 1;
    if (times > mostVisits) return true;
    visits.set(station, times);
  }
  return false;
}

function fullRef({ pipeline: { ref, tag } }: PipelineJob): string {
  return `refs/${tag ? 'tags' : 'heads'}/${ref}`;
}

/** A child runs at the commit of its parent, wherever the branch is now. */
function resolvedRef({ pipeline: { ref, tag, sha, commit, tagMessage } }: PipelineJob): ResolvedRef {
  const resolved: ResolvedRef = { ref, type: tag ? 'tag' : 'branch', sha, commit };
  if (tagMessage !== null) resolved.tagMessage = tagMessage;
  return resolved;
}
