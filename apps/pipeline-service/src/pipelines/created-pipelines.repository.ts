import { JobQueued, PipelineCreated, type PipelineFacts, type Status, type TriggerOutcome } from '#libs/contracts';
import { Batches, isDataError, type Outbox } from '#libs/persistence';
import type { EntityManager } from 'typeorm';
import type { ResolvedRef } from '../repositories/repositories.js';
import type { CreationRefusal } from './creation-checks.js';
import type { PipelineOrder } from './pipeline-order.js';
import { addPlans, knownPlans, type Plan, type PlanIds, planKey } from './plans.repository.js';

/** A pipeline as it will be stored, but for its numbers. */
export interface PlannedPipeline {
  projectPath: string;
  resolved: ResolvedRef;
  protected: boolean;
  name: string | null;
  /** None for a pipeline that failed before it had jobs. */
  plan: Plan | null;
  status: Status;
  /** Already taken, where the configuration wanted to see it. */
  iid: number | null;
}

/** What was decided about an order: a pipeline, a refusal, or a failed pipeline that explains a refusal. */
export interface Decision {
  order: PipelineOrder;
  pipeline: PlannedPipeline | null;
  refusal: CreationRefusal | null;
  /** Pipelines per minute of one user for the commit, 0 for any number (trigger-api.md §1.9); not there where an earlier check refused. */
  rate?: { sha: string; limit: number };
}

const mostKnownUsers = 10_000;

type StoredOutcome = Omit<TriggerOutcome, 'requestId'>;

const tooMany: CreationRefusal = {
  status: 400,
  message: 'Too many pipelines created in the last minute. Try again later.',
};
const gone: CreationRefusal = { status: 400, message: 'Project is deleted!' };

/**
 * Stores decisions in batches, one transaction each (architecture.md §2.5): the outcome of a request is claimed first, so that of two
 * deliveries of one request only one creates anything, and the other answers the same.
 */
export class CreatedPipelines {
  readonly #outbox: Outbox;
  readonly #batches: Batches<Decision, TriggerOutcome>;
  readonly #knownUsers = new Set<string>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
    this.#batches = new Batches((decisions) => this.#store(decisions), { limit: 100, blame: isDataError });
  }

  /** @returns the outcome, the stored one when the request had been decided before */
  store(decision: Decision): Promise<TriggerOutcome> {
    return this.#batches.add(decision);
  }

  /** As `store`, in a transaction of its own: for messages that were delivered before, since one of them may be what brought a process down. */
  async storeAlone(decision: Decision): Promise<TriggerOutcome> {
    const [outcome] = await this.#store([decision]);
    return outcome as TriggerOutcome;
  }

  /** The outcome of a request, when it is there. */
  async stored(manager: Pick<EntityManager, 'query'>, requestIds: string[]): Promise<Map<string, TriggerOutcome>> {
    const rows = (await manager.query(
      'select request_id as "requestId", outcome from pipelines.trigger_outcomes where request_id = any($1::uuid[])',
      [requestIds],
    )) as { requestId: string; outcome: StoredOutcome }[];
    return new Map(rows.map(({ requestId, outcome }) => [requestId, { requestId, ...outcome }]));
  }

  async #store(decisions: Decision[]): Promise<TriggerOutcome[]> {
    // Copies of a message may meet in one batch: the request is decided once, and all of them are told the same.
    const sorted = [...new Map(decisions.map((decision) => [decision.order.requestId, decision])).values()].sort(
      (a, b) => (a.order.requestId < b.order.requestId ? -1 : 1),
    );
    const actors = this.#unknownUsers(sorted);
    const outcomes = await this.#outbox.transaction(async (manager, say) => {
      const now = new Date();
      const numbers = await takeNumbers(manager, sorted);
      await addMissingPlans(manager, sorted, numbers);
      const crowded = await overCreationLimit(manager, sorted, now);
      const numbered = sorted.map((decision) => number(decision, numbers, crowded, now));
      const { claimed, queued } = await write(manager, numbered, actors, now);
      for (const job of queued) say(JobQueued, job);
      const own = numbered.filter(({ outcome }) => claimed.has(outcome.requestId));
      for (const { facts } of own) if (facts) say(PipelineCreated, createdEvent(facts));
      const told = new Map(own.map(({ outcome }) => [outcome.requestId, outcome]));
      const others = sorted.map(({ order }) => order.requestId).filter((id) => !told.has(id));
      return others.length === 0 ? told : new Map([...told, ...(await this.stored(manager, others))]);
    });
    for (const actor of actors) this.#knownUsers.add(userKey(actor));
    return decisions.map(({ order }) => outcomes.get(order.requestId) as TriggerOutcome);
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

interface Numbers {
  /** By project: the next one. A project that is not there any more has none. */
  iids: Map<number, number>;
  /** Descending, so that `pop` gives the smallest. */
  pipelineIds: number[];
  plans: PlanIds;
}

/**
 * In one round trip: takes the counters of the projects for the length of the transaction, ids for the pipelines, and the plans that are known.
 * Counters come first and in order, requests in order, so that two batches never wait for each other in a circle. `no key update`: the foreign
 * keys of rows that others insert must not wait. Numbers taken for a request that was decided before are not used.
 */
async function takeNumbers(manager: EntityManager, sorted: Decision[]): Promise<Numbers> {
  const counts = new Map<number, number>();
  const plans = new Map<string, Plan>();
  let pipelines = 0;
  for (const { order, pipeline } of sorted) {
    if (!pipeline) continue;
    counts.set(order.projectId, (counts.get(order.projectId) ?? 0) + (pipeline.iid === null ? 1 : 0));
    pipelines += 1;
    if (pipeline.plan) plans.set(planKey(pipeline.plan), pipeline.plan);
  }
  const wanted = [...plans.values()];
  const [row] = (await manager.query(
    `with locked as materialized (
       select id from pipelines.projects where id = any($1::bigint[]) and state = 'active' order by id for no key update
     ), bumped as (
       update pipelines.projects as project set next_iid = next_iid + wanted.count
       from unnest($1::bigint[], $2::int[]) as wanted (id, count) join locked using (id)
       where project.id = wanted.id
       returning project.id, project.next_iid - wanted.count as first
     ), known as materialized (${knownPlans('$4', '$5')})
     select (select coalesce(json_object_agg(id, first), '{}') from bumped) as iids,
            array(select nextval('pipelines.pipelines_id_seq') from generate_series(1, $3)) as "pipelineIds",
            (select coalesce(json_agg(known), '[]') from known) as plans`,
    [
      [...counts.keys()],
      [...counts.values()],
      pipelines,
      wanted.map(({ projectId }) => projectId),
      wanted.map(({ hash }) => hash),
    ],
  )) as {
    iids: Record<string, number>;
    pipelineIds: (number | string)[];
    plans: { id: number; projectId: number; hash: string }[];
  }[];
  return {
    iids: new Map(Object.entries(row?.iids ?? {}).map(([id, first]) => [Number(id), first])),
    pipelineIds: (row?.pipelineIds ?? []).map(Number).sort((a, b) => b - a),
    plans: new Map(row?.plans.map((plan) => [planKey(plan), plan.id])),
  };
}

async function addMissingPlans(manager: EntityManager, decisions: Decision[], numbers: Numbers): Promise<void> {
  const missing = new Map<string, Plan>();
  for (const { order, pipeline } of decisions)
    if (pipeline?.plan && numbers.iids.has(order.projectId) && !numbers.plans.has(planKey(pipeline.plan)))
      missing.set(planKey(pipeline.plan), pipeline.plan);
  if (missing.size === 0) return;
  for (const [key, id] of await addPlans(manager, [...missing.values()])) numbers.plans.set(key, id);
}

/** A decision with its numbers: what will be told, and the row to be written. */
interface Numbered {
  outcome: TriggerOutcome;
  facts: PipelineFacts | null;
  row: object | null;
}

function number({ order, pipeline, refusal }: Decision, numbers: Numbers, crowded: Set<string>, now: Date): Numbered {
  const firstIid = numbers.iids.get(order.projectId);
  const instead = crowded.has(order.requestId) ? tooMany : pipeline && firstIid === undefined ? gone : null;
  if (!pipeline || instead)
    return { outcome: refused(order, instead ?? (refusal as CreationRefusal)), facts: null, row: null };
  const iid = pipeline.iid ?? (firstIid as number);
  if (pipeline.iid === null) numbers.iids.set(order.projectId, iid + 1);
  const id = numbers.pipelineIds.pop() as number;
  const facts = pipelineFacts(id, iid, order, pipeline, refusal, now);
  const planId = pipeline.plan ? (numbers.plans.get(planKey(pipeline.plan)) ?? null) : null;
  return {
    outcome: refusal ? refused(order, refusal, id) : { requestId: order.requestId, pipeline: facts },
    facts,
    row: pipelineRow(facts, order, pipeline, planId, refusal),
  };
}

function createdEvent({ id, projectId, trigger, createdAt }: PipelineFacts): PipelineCreated {
  return { pipelineId: id, projectId, triggerId: trigger?.id ?? null, createdAt };
}

function refused(
  { requestId, source }: PipelineOrder,
  { status, message }: CreationRefusal,
  pipelineId?: number,
): TriggerOutcome {
  // `POST /projects/:id/pipeline` answers 400 to whatever is wrong (trigger-api.md §4.1).
  const body = status === 404 ? { message } : { message: { base: [message] } };
  return { requestId, refusal: { status: source === 'api' && status === 422 ? 400 : status, body, pipelineId } };
}

/**
 * Requests over the limit of pipelines per project, user and commit in a minute. It comes before the configuration is looked at, so that
 * whoever is over it does not hear what else is wrong (trigger-api.md §1.6).
 */
async function overCreationLimit(manager: EntityManager, decisions: Decision[], now: Date): Promise<Set<string>> {
  const over = new Set<string>();
  const limited = decisions.flatMap(({ order, pipeline, rate }) =>
    rate && rate.limit > 0 ? [{ order, creates: pipeline !== null, rate }] : [],
  );
  if (limited.length === 0) return over;
  const rows = (await manager.query(
    `select key.position, count(pipeline.id)::int as count
     from unnest($1::bigint[], $2::bigint[], $3::text[]) with ordinality as key (project_id, user_id, sha, position)
     left join pipelines.pipelines as pipeline
       on pipeline.project_id = key.project_id and pipeline.user_id = key.user_id and pipeline.sha = key.sha and pipeline.created_at > $4
     group by key.position order by key.position`,
    [
      limited.map(({ order }) => order.projectId),
      limited.map(({ order }) => order.actor.id),
      limited.map(({ rate }) => rate.sha),
      new Date(now.getTime() - 60_000),
    ],
  )) as { count: number }[];
  const inThisBatch = new Map<string, number>();
  for (const [index, { order, creates, rate }] of limited.entries()) {
    const key = `${order.projectId} ${order.actor.id} ${rate.sha}`;
    const before = (rows[index]?.count ?? 0) + (inThisBatch.get(key) ?? 0);
    if (before >= rate.limit) over.add(order.requestId);
    else if (creates) inThisBatch.set(key, (inThisBatch.get(key) ?? 0) + 1);
  }
  return over;
}

function pipelineFacts(
  id: number,
  iid: number,
  order: PipelineOrder,
  { projectPath, resolved, name, status }: PlannedPipeline,
  refusal: CreationRefusal | null,
  now: Date,
): PipelineFacts {
  const failed = refusal?.failed;
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
    status: failed?.status ?? status,
    warnings: false,
    source: order.source,
    name,
    yamlErrors: failed?.yamlErrors ?? null,
    user: { id: order.actor.id, username: order.actor.username, name: order.actor.name, state: order.actor.state },
    createdAt: at,
    updatedAt: at,
    startedAt: null,
    finishedAt: failed ? at : null,
    committedAt: null,
    duration: null,
    queuedDuration: null,
    coverage: null,
    archived: false,
    trigger: order.trigger && { ...order.trigger, channel: order.channel ?? 'api' },
  };
}

function pipelineRow(
  facts: PipelineFacts,
  order: PipelineOrder,
  pipeline: PlannedPipeline,
  planId: number | null,
  refusal: CreationRefusal | null,
): object {
  return {
    id: facts.id,
    project_id: facts.projectId,
    iid: facts.iid,
    request_id: order.requestId,
    source: facts.source,
    ref: facts.ref,
    tag: facts.tag,
    protected: pipeline.protected,
    sha: facts.sha,
    commit: pipeline.resolved.commit,
    tag_message: pipeline.resolved.tagMessage ?? null,
    status: facts.status,
    name: facts.name,
    yaml_errors: facts.yamlErrors,
    failure_reason: refusal?.failed?.failureReason ?? null,
    user_id: order.actor.id,
    trigger_id: order.trigger?.id ?? null,
    trigger_short_token: order.trigger?.shortToken ?? null,
    channel: order.channel,
    upstream: order.upstream,
    variables: order.variables,
    plan_id: planId,
    finished_at: facts.finishedAt,
  };
}

interface Written {
  /** Requests that nobody had decided before. */
  claimed: Set<string>;
  /** Jobs that wait for a runner from the start. */
  queued: JobQueued[];
}

/**
 * One statement for everything: claims the requests, and writes what belongs to those that nobody had decided before. What is known of a user
 * is not overwritten: events may have told something newer.
 */
async function write(
  manager: EntityManager,
  numbered: Numbered[],
  users: PipelineOrder['actor'][],
  now: Date,
): Promise<Written> {
  const outcomes = numbered.map(({ outcome: { requestId, pipeline, refusal } }) => ({
    request_id: requestId,
    outcome: { pipeline, refusal },
  }));
  const pipelines = numbered.flatMap(({ row }) => row ?? []);
  const [row] = (await manager.query(
    `with claimed as (
       insert into pipelines.trigger_outcomes (request_id, outcome, created_at)
       select request_id, outcome, $4 from json_to_recordset($1) as decided (request_id uuid, outcome json)
       on conflict do nothing returning request_id
     ), new_pipelines as (
       insert into pipelines.pipelines (id, project_id, iid, request_id, source, ref, tag, protected, sha, commit, tag_message, status, name,
         yaml_errors, failure_reason, user_id, trigger_id, trigger_short_token, channel, upstream, variables, plan_id, created_at, updated_at, finished_at)
       select id, project_id, iid, request_id, source, ref, tag, protected, sha, commit, tag_message, status, name,
         yaml_errors, failure_reason, user_id, trigger_id, trigger_short_token, channel, upstream, variables, plan_id, $4, $4, finished_at
       from json_to_recordset($2) as row (id bigint, project_id bigint, iid bigint, request_id uuid, source text, ref text, tag boolean,
         protected boolean, sha text, commit json, tag_message text, status text, name text, yaml_errors text, failure_reason text, user_id bigint,
         trigger_id bigint, trigger_short_token text, channel text, upstream json, variables json, plan_id bigint, finished_at timestamptz)
         join claimed using (request_id)
       returning id, project_id, protected, user_id, plan_id
     ), new_jobs as (
       insert into pipelines.jobs (pipeline_id, project_id, plan_id, position, name, stage, stage_idx, status, "when", allow_failure, scheduling,
         needs, tags, protected, user_id, timeout_seconds, created_at, updated_at, queued_at, scheduled_at)
       select pipeline.id, pipeline.project_id, plan_id, job.position, job.name, job.stage, job.stage_idx, job.status, job."when", job.allow_failure,
         job.scheduling, job.needs, job.tags, pipeline.protected, pipeline.user_id, job.timeout_seconds, $4, $4,
         case job.status when 'pending' then $4 end,
         case job.status when 'scheduled' then $4 + make_interval(secs => (job.definition ->> 'startIn')::int) end
       from new_pipelines as pipeline join pipelines.planned_jobs as job using (plan_id) order by pipeline.id, job.position
       returning id, project_id, status, tags, protected
     ), new_users as (
       insert into pipelines.users (id, username, name, email, state, created_at, updated_at)
       select id, username, name, email, state, "createdAt", $4
       from json_to_recordset($3) as row (id bigint, username text, name text, email text, state text, "createdAt" timestamptz)
       on conflict (id) do nothing
     )
     select array(select request_id::text from claimed) as claimed,
       (select coalesce(json_agg(json_build_object('jobId', id, 'projectId', project_id, 'tags', tags, 'protected', protected)), '[]')
        from new_jobs where status = 'pending') as queued`,
    [JSON.stringify(outcomes), JSON.stringify(pipelines), JSON.stringify(users), now],
  )) as { claimed: string[]; queued: JobQueued[] }[];
  return { claimed: new Set(row?.claimed), queued: row?.queued ?? [] };
}
