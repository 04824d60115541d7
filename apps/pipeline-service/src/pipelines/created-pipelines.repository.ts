import {
  BridgeDue,
  JobQueued,
  PipelineCreated,
  type PipelineFacts,
  PipelineSupersedes,
  ResourceGroupDue,
  type TriggerOutcome,
} from '#libs/contracts';
import { Batches, type DatabaseClock, isDataError, type Outbox, retrying, uuidv7 } from '#libs/persistence';
import type { DataSource, EntityManager } from 'typeorm';
import type { CreationRefusal } from './creation-checks.js';
import type { Decision, PlannedPipeline } from './decision.js';
import type { PipelineOrder } from './pipeline-order.js';
import { readPipelines } from './pipelines.repository.js';
import { addPlans } from './plans.repository.js';
import {
  type Claimed,
  type Insertions,
  projectGone,
  type StoredRefusal,
  storedRefusal,
  writePipelines,
} from './write-pipelines.js';

const mostKnownUsers = 10_000;
/** A plan that was just added may go with the last pipeline that has it before it is used; hardly twice. */
const mostRounds = 5;
/** For which the limit of pipelines counts. */
const limitMs = 60_000;

const tooMany: CreationRefusal = {
  status: 400,
  message: 'Too many pipelines created in the last minute. Try again later.',
};
const deletedSince: StoredRefusal = { status: 404, body: { message: '404 Not found' } };

/**
 * Stores decisions in batches (architecture.md §2.5). The outcome of a request is claimed in the statement that writes its pipeline, so that of
 * two deliveries of one request only one creates anything, and the other answers the same.
 */
export class CreatedPipelines {
  readonly #database: DataSource;
  readonly #outbox: Outbox;
  readonly #batches: Batches<Decision, TriggerOutcome>;
  readonly #knownUsers = new Set<string>();

  constructor(
    database: DataSource,
    outbox: Outbox,
    private readonly clock: DatabaseClock,
  ) {
    this.#database = database;
    this.#outbox = outbox;
    this.#batches = new Batches((decisions) => this.#store(decisions), { limit: 100, blame: isDataError });
  }

  /** @returns the outcome, the stored one when the request had been decided before */
  store(decision: Decision): Promise<TriggerOutcome> {
    return this.#batches.add(decision);
  }

  /** As `store`, in a statement of its own: for messages that were delivered before, since one of them may be what brought a process down. */
  async storeAlone(decision: Decision): Promise<TriggerOutcome> {
    const [outcome] = await this.#store([decision]);
    return outcome as TriggerOutcome;
  }

  async #store(decisions: Decision[]): Promise<TriggerOutcome[]> {
    // Copies of a message may meet in one batch: the request is decided once, and all of them are told the same.
    const sorted = [...new Map(decisions.map((decision) => [decision.order.requestId, decision])).values()].sort(
      (a, b) => (a.order.requestId < b.order.requestId ? -1 : 1),
    );
    const outcomes = new Map<string, TriggerOutcome>();
    let left = sorted;
    for (let round = 1; left.length > 0; round++) {
      if (round > mostRounds)
        throw new Error('The plans of pipelines were removed each time before they could be used');
      if (round > 1)
        await addPlans(
          this.#database,
          left.flatMap(({ pipeline }) => pipeline?.plan ?? []),
        );
      left = await this.#write(left, outcomes);
    }
    const others = sorted.map(({ order }) => order.requestId).filter((id) => !outcomes.has(id));
    const told = others.length === 0 ? outcomes : new Map([...outcomes, ...(await this.stored(others))]);
    return decisions.map(({ order }) => told.get(order.requestId) as TriggerOutcome);
  }

  /**
   * Writes what nobody had decided before, and adds its outcomes.
   * @returns those for which nothing was written because their plan is not stored
   */
  async #write(sorted: Decision[], outcomes: Map<string, TriggerOutcome>): Promise<Decision[]> {
    const actors = this.#unknownUsers(sorted);
    const now = this.clock.now();
    const insertions: Insertions = {
      created: (rows) => this.#outbox.insertion(PipelineCreated, rows),
      bridges: (rows) => this.#outbox.insertion(BridgeDue, rows),
      groups: (rows) => this.#outbox.insertion(ResourceGroupDue, rows),
      superseding: (rows) => this.#outbox.insertion(PipelineSupersedes, rows),
    };
    const counted = sorted.some(({ rate }) => rate && rate.limit > 0);
    const { decisions, written } = await retrying(() =>
      counted
        ? this.#database.transaction(async (manager) => {
            const decisions = await withinCreationLimit(manager, sorted);
            return { decisions, written: await writePipelines(manager, decisions, actors, insertions, now) };
          })
        : writePipelines(this.#database, sorted, actors, insertions, now).then((written) => ({
            decisions: sorted,
            written,
          })),
    );
    this.#outbox.hint(JobQueued, written.queued);
    this.#outbox.publish(written.said);
    for (const actor of actors) this.#knownUsers.add(userKey(actor));
    const claimed = new Map(written.claimed.map((one) => [one.requestId, one]));
    for (const decision of decisions) {
      const own = claimed.get(decision.order.requestId);
      if (own) outcomes.set(own.requestId, outcomeOf(decision, own, now));
    }
    const unplanned = new Set(written.unplanned);
    return sorted.filter(({ order }) => unplanned.has(order.requestId));
  }

  /** Outcomes of those of the requests that were decided before. A pipeline is told as it is now. */
  async stored(requestIds: string[]): Promise<Map<string, TriggerOutcome>> {
    const rows = (await this.#database.query(
      'select request_id as "requestId", pipeline_id as "pipelineId", refusal from pipelines.trigger_outcomes where request_id = any($1::uuid[])',
      [requestIds],
    )) as { requestId: string; pipelineId: number | null; refusal: StoredRefusal | null }[];
    const ids = rows.flatMap(({ pipelineId, refusal }) => (refusal ? [] : (pipelineId ?? [])));
    const pipelines = new Map((await readPipelines(this.#database, ids)).map((pipeline) => [pipeline.id, pipeline]));
    return new Map(
      rows.map(({ requestId, pipelineId, refusal }) => {
        const pipeline = refusal ? undefined : pipelines.get(pipelineId ?? 0);
        if (pipeline) return [requestId, { requestId, pipeline }];
        return [requestId, refused(requestId, refusal ?? deletedSince, pipelineId)];
      }),
    );
  }

  /** Users whose names may not be stored yet; what changes later, events tell. */
  #unknownUsers(decisions: Decision[]): PipelineOrder['actor'][] {
    if (this.#knownUsers.size > mostKnownUsers) this.#knownUsers.clear();
    const actors = new Map(decisions.map(({ order: { actor } }) => [actor.id, actor]));
    return [...actors.values()].filter((actor) => !this.#knownUsers.has(userKey(actor))).sort((a, b) => a.id - b.id);
  }
}

function userKey({ id, username, name }: PipelineOrder['actor']): string {
  return `${id} ${username} ${name}`;
}

function outcomeOf({ order, pipeline, refusal }: Decision, claimed: Claimed, now: Date): TriggerOutcome {
  const { requestId, id, iid, gone } = claimed;
  if (gone) return refused(requestId, projectGone, id);
  if (refusal) return refused(requestId, storedRefusal(order, refusal), id);
  return {
    requestId,
    pipeline: pipelineFacts(id as number, iid as number, order, pipeline as PlannedPipeline, now),
  };
}

function refused(requestId: string, refusal: StoredRefusal, pipelineId: number | null): TriggerOutcome {
  return { requestId, refusal: { ...refusal, pipelineId: pipelineId ?? undefined } };
}

/**
 * The decisions, with a refusal in place of what goes beyond the limit of pipelines per project, user and commit in a minute. It comes before the
 * configuration is looked at, so that whoever is over it does not hear what else is wrong (trigger-api.md §1.6). The projects' counters are locked,
 * so that nobody else creates pipelines of theirs until these are counted and written. What counts is when requests were received, which their ids
 * tell: whoever kept to it is not refused because requests waited and are decided all at once (architecture.md §2.8). Neither order of decision lets
 * more through: those received in the minute before it count, and those in the minute after it that are decided already.
 */
async function withinCreationLimit(manager: EntityManager, decisions: Decision[]): Promise<Decision[]> {
  await manager.query('select from pipelines.projects where id = any($1::bigint[]) order by id for no key update', [
    decisions.map(({ order }) => order.projectId),
  ]);
  const limited = decisions.flatMap(({ order, rate }) => (rate && rate.limit > 0 ? [{ order, rate }] : []));
  const rows = (await manager.query(
    `select count(*) filter (where pipeline.request_id < key.id)::int as before, count(*) filter (where pipeline.request_id > key.id)::int as after
     from unnest($1::bigint[], $2::bigint[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[]) with ordinality
       as key (project_id, user_id, sha, since, id, until, position)
     left join pipelines.pipelines as pipeline
       on pipeline.project_id = key.project_id and pipeline.user_id = key.user_id and pipeline.sha = key.sha
          and pipeline.request_id > key.since and pipeline.request_id < key.until
     group by key.position order by key.position`,
    [
      limited.map(({ order }) => order.projectId),
      limited.map(({ order }) => order.actor.id),
      limited.map(({ rate }) => rate.sha),
      limited.map(({ order }) => uuidv7(Date.parse(order.receivedAt) - limitMs, Buffer.alloc(10))),
      limited.map(({ order }) => order.requestId),
      limited.map(({ order }) => uuidv7(Date.parse(order.receivedAt) + limitMs, Buffer.alloc(10))),
    ],
  )) as { before: number; after: number }[];
  const counts = new Map(limited.map(({ order }, index) => [order.requestId, rows[index]]));
  /** When those of this batch were received that are created, the earliest first, since ids are in order. */
  const inThisBatch = new Map<string, number[]>();
  return decisions.map((decision) => {
    const { order, pipeline, rate } = decision;
    if (!rate || rate.limit === 0) return decision;
    const key = `${order.projectId} ${order.actor.id} ${rate.sha}`;
    const receivedAt = Date.parse(order.receivedAt);
    const others = (inThisBatch.get(key) ?? []).filter((time) => time > receivedAt - limitMs);
    const { before = 0, after = 0 } = counts.get(order.requestId) ?? {};
    if (Math.max(before + others.length, after) >= rate.limit) return { order, pipeline: null, refusal: tooMany };
    if (pipeline) inThisBatch.set(key, [...others, receivedAt]);
    return decision;
  });
}

function pipelineFacts(
  id: number,
  iid: number,
  order: PipelineOrder,
  { projectPath, resolved, name, status }: PlannedPipeline,
  now: Date,
): PipelineFacts {
  const at = now.toISOString();
  return {
    id,
    iid,
    projectId: order.projectId,
    projectPath,
    sha: resolved.sha,
    beforeSha: '0'.repeat(40),
    ref: resolved.ref,
    tag: resolved.type === 'tag',
    status,
    warnings: false,
    source: order.source,
    name,
    yamlErrors: null,
    user: { id: order.actor.id, username: order.actor.username, name: order.actor.name, state: order.actor.state },
    createdAt: at,
    updatedAt: at,
    startedAt: null,
    finishedAt: null,
    committedAt: null,
    duration: null,
    queuedDuration: null,
    coverage: null,
    archived: false,
    trigger: order.trigger && { ...order.trigger, channel: order.channel ?? 'api' },
  };
}
