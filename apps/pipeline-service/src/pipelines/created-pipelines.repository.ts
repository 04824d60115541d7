import { JobQueued, PipelineCreated, type PipelineFacts, type Status, type TriggerOutcome } from '#libs/contracts';
import type { Job } from '#libs/ci-config';
import { Batches, isDataError, type Outbox, type Say } from '#libs/persistence';
import type { EntityManager } from 'typeorm';
import type { ResolvedRef } from '../repositories/repositories.js';
import type { CreationRefusal } from './creation-checks.js';
import type { PipelineOrder } from './pipeline-order.js';

/** A job of the plan and the status it starts in. */
export interface FirstJob {
  job: Job;
  status: Status;
}

/** A pipeline as it will be stored, but for its numbers. */
export interface PlannedPipeline {
  projectPath: string;
  resolved: ResolvedRef;
  protected: boolean;
  name: string | null;
  stages: string[];
  jobs: FirstJob[];
  status: Status;
  /** Seconds, of jobs that name no time limit. */
  timeout: number;
  /** Pipelines per minute for one user and commit; 0 for any number (trigger-api.md §1.9). */
  creationLimit: number;
  /** Already taken, where the configuration wanted to see it. */
  iid: number | null;
}

/** What was decided about an order: a pipeline, a refusal, or a failed pipeline that explains a refusal. */
export interface Decision {
  order: PipelineOrder;
  pipeline: PlannedPipeline | null;
  refusal: CreationRefusal | null;
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
    const sorted = [...decisions].sort((a, b) => (a.order.requestId < b.order.requestId ? -1 : 1));
    const { outcomes, actors } = await this.#outbox.transaction(async (manager, say) => {
      const now = new Date();
      const numbers = await claim(manager, sorted, now);
      const mine = sorted.filter(({ order }) => numbers.claimed.delete(order.requestId));
      const crowded = await overCreationLimit(manager, mine, now);
      const { outcomes: decided, pipelines, jobs } = number(say, mine, numbers, crowded, now);
      const unknown = this.#unknownUsers(mine);
      await writeAll(manager, { pipelines, jobs, users: unknown, outcomes: decided, now });
      if (mine.length === decisions.length) return { outcomes: decided, actors: unknown };
      const others = await this.stored(
        manager,
        sorted.map(({ order }) => order.requestId),
      );
      return { outcomes: new Map([...others, ...decided]), actors: unknown };
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
  /** Requests that nobody had decided before. */
  claimed: Set<string>;
  /** By project: the next one. A project that is not there any more has none. */
  iids: Map<number, number>;
  /** Descending, so that `pop` gives the smallest. */
  pipelineIds: number[];
  jobIds: number[];
}

/**
 * In one round trip: takes the counters of the projects for the length of the transaction, takes ids for all rows, and claims the requests.
 * Counters come first and in order, requests in order, so that two batches never wait for each other in a circle. `no key update`: the foreign
 * keys of rows that others insert must not wait. Numbers taken for a request that was decided before are not used.
 */
async function claim(manager: EntityManager, sorted: Decision[], now: Date): Promise<Numbers> {
  const counts = new Map<number, number>();
  let pipelines = 0;
  let jobs = 0;
  for (const { order, pipeline } of sorted) {
    if (!pipeline) continue;
    counts.set(order.projectId, (counts.get(order.projectId) ?? 0) + (pipeline.iid === null ? 1 : 0));
    pipelines += 1;
    jobs += pipeline.jobs.length;
  }
  const [row] = (await manager.query(
    `with locked as materialized (
       select id from pipelines.projects where id = any($1::bigint[]) and state = 'active' order by id for no key update
     ), bumped as (
       update pipelines.projects as project set next_iid = next_iid + wanted.count
       from unnest($1::bigint[], $2::int[]) as wanted (id, count) join locked using (id)
       where project.id = wanted.id
       returning project.id, project.next_iid - wanted.count as first
     ), claimed as (
       insert into pipelines.trigger_outcomes (request_id, created_at)
       select request_id, $6 from unnest($5::uuid[]) as asked (request_id) where (select count(*) from bumped) >= 0
       on conflict do nothing returning request_id
     )
     select (select coalesce(json_object_agg(id, first), '{}') from bumped) as iids,
            array(select nextval('pipelines.pipelines_id_seq') from generate_series(1, $3)) as "pipelineIds",
            array(select nextval('pipelines.jobs_id_seq') from generate_series(1, $4)) as "jobIds",
            array(select request_id::text from claimed) as claimed`,
    [[...counts.keys()], [...counts.values()], pipelines, jobs, sorted.map(({ order }) => order.requestId), now],
  )) as {
    iids: Record<string, number>;
    pipelineIds: (number | string)[];
    jobIds: (number | string)[];
    claimed: string[];
  }[];
  const descending = (ids: (number | string)[]): number[] => ids.map(Number).sort((a, b) => b - a);
  return {
    claimed: new Set(row?.claimed),
    iids: new Map(Object.entries(row?.iids ?? {}).map(([id, first]) => [Number(id), first])),
    pipelineIds: descending(row?.pipelineIds ?? []),
    jobIds: descending(row?.jobIds ?? []),
  };
}

interface Numbered {
  outcomes: Map<string, TriggerOutcome>;
  pipelines: object[];
  jobs: object[];
}

/** Gives decisions their numbers: rows to be written, and outcomes to be told. */
function number(say: Say, decisions: Decision[], numbers: Numbers, crowded: Set<string>, now: Date): Numbered {
  const result: Numbered = { outcomes: new Map(), pipelines: [], jobs: [] };
  for (const { order, pipeline, refusal } of decisions) {
    const firstIid = numbers.iids.get(order.projectId);
    const instead = pipeline && (crowded.has(order.requestId) ? tooMany : firstIid === undefined ? gone : null);
    if (!pipeline || instead) {
      result.outcomes.set(order.requestId, refused(order, instead ?? (refusal as CreationRefusal)));
      continue;
    }
    const iid = pipeline.iid ?? (firstIid as number);
    if (pipeline.iid === null) numbers.iids.set(order.projectId, iid + 1);
    const id = numbers.pipelineIds.pop() as number;
    const facts = pipelineFacts(id, iid, order, pipeline, refusal, now);
    result.pipelines.push(pipelineRow(facts, order, pipeline, refusal));
    for (const [position, { job, status }] of pipeline.jobs.entries()) {
      const jobId = numbers.jobIds.pop() as number;
      result.jobs.push(jobRow(jobId, position, job, status, facts, order, pipeline));
      if (status === 'pending')
        say(JobQueued, { jobId, projectId: order.projectId, tags: job.tags, protected: pipeline.protected });
    }
    say(PipelineCreated, {
      pipelineId: id,
      projectId: order.projectId,
      triggerId: order.trigger?.id ?? null,
      createdAt: facts.createdAt,
    });
    const outcome = refusal ? refused(order, refusal, id) : { requestId: order.requestId, pipeline: facts };
    result.outcomes.set(order.requestId, outcome);
  }
  return result;
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

/** Requests over the limit of pipelines per project, user and commit in a minute, counted by when they were received (architecture.md §2.8). */
async function overCreationLimit(manager: EntityManager, decisions: Decision[], now: Date): Promise<Set<string>> {
  const over = new Set<string>();
  const limited = decisions.flatMap(({ order, pipeline }) =>
    pipeline && pipeline.creationLimit > 0 ? [{ order, pipeline }] : [],
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
      limited.map(({ pipeline }) => pipeline.resolved.sha),
      new Date(now.getTime() - 60_000),
    ],
  )) as { count: number }[];
  const inThisBatch = new Map<string, number>();
  for (const [index, { order, pipeline }] of limited.entries()) {
    const key = `${order.projectId} ${order.actor.id} ${pipeline.resolved.sha}`;
    const before = (rows[index]?.count ?? 0) + (inThisBatch.get(key) ?? 0);
    if (before >= pipeline.creationLimit) over.add(order.requestId);
    else inThisBatch.set(key, (inThisBatch.get(key) ?? 0) + 1);
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
    stages: pipeline.stages,
    created_at: facts.createdAt,
    finished_at: facts.finishedAt,
  };
}

function jobRow(
  id: number,
  position: number,
  job: Job,
  status: Status,
  facts: PipelineFacts,
  order: PipelineOrder,
  pipeline: PlannedPipeline,
): object {
  return {
    id,
    pipeline_id: facts.id,
    project_id: facts.projectId,
    position,
    name: job.name,
    stage: job.stage,
    stage_idx: job.stageIdx,
    status,
    when: job.when,
    allow_failure: job.allowFailure,
    scheduling: job.scheduling,
    needs: job.needs,
    definition: job,
    tags: job.tags,
    protected: pipeline.protected,
    user_id: order.actor.id,
    timeout_seconds: job.timeout ?? pipeline.timeout,
    created_at: facts.createdAt,
    queued_at: status === 'pending' ? facts.createdAt : null,
    scheduled_at:
      status === 'scheduled' ? new Date(Date.parse(facts.createdAt) + (job.startIn ?? 0) * 1000).toISOString() : null,
  };
}

interface Rows {
  pipelines: object[];
  jobs: object[];
  users: PipelineOrder['actor'][];
  outcomes: Map<string, TriggerOutcome>;
  now: Date;
}

/** One statement for everything. What is known of a user is not overwritten: events may have told something newer. */
async function writeAll(manager: EntityManager, { pipelines, jobs, users, outcomes, now }: Rows): Promise<void> {
  await manager.query(
    `with new_pipelines as (
       insert into pipelines.pipelines (id, project_id, iid, request_id, source, ref, tag, protected, sha, commit, tag_message, status, name,
         yaml_errors, failure_reason, user_id, trigger_id, trigger_short_token, channel, upstream, variables, stages, created_at, updated_at, finished_at)
       select id, project_id, iid, request_id, source, ref, tag, protected, sha, commit, tag_message, status, name,
         yaml_errors, failure_reason, user_id, trigger_id, trigger_short_token, channel, upstream, variables, stages, created_at, created_at, finished_at
       from json_to_recordset($1) as row (id bigint, project_id bigint, iid bigint, request_id uuid, source text, ref text, tag boolean,
         protected boolean, sha text, commit jsonb, tag_message text, status text, name text, yaml_errors text, failure_reason text, user_id bigint,
         trigger_id bigint, trigger_short_token text, channel text, upstream jsonb, variables jsonb, stages text[], created_at timestamptz, finished_at timestamptz)
     ), new_jobs as (
       insert into pipelines.jobs (id, pipeline_id, project_id, position, name, stage, stage_idx, status, "when", allow_failure, scheduling, needs,
         definition, tags, protected, user_id, timeout_seconds, created_at, updated_at, queued_at, scheduled_at)
       select id, pipeline_id, project_id, position, name, stage, stage_idx, status, "when", allow_failure, scheduling, needs,
         definition, tags, protected, user_id, timeout_seconds, created_at, created_at, queued_at, scheduled_at
       from json_to_recordset($2) as row (id bigint, pipeline_id bigint, project_id bigint, position integer, name text, stage text, stage_idx integer,
         status text, "when" text, allow_failure boolean, scheduling text, needs jsonb, definition jsonb, tags text[], protected boolean, user_id bigint,
         timeout_seconds integer, created_at timestamptz, queued_at timestamptz, scheduled_at timestamptz)
     ), new_users as (
       insert into pipelines.users (id, username, name, email, state, updated_at)
       select id, username, name, email, state, $4 from json_to_recordset($3) as row (id bigint, username text, name text, email text, state text)
       on conflict (id) do nothing
     )
     update pipelines.trigger_outcomes as stored set outcome = decided.outcome
     from unnest($5::uuid[], $6::jsonb[]) as decided (request_id, outcome) where stored.request_id = decided.request_id`,
    [
      JSON.stringify(pipelines),
      JSON.stringify(jobs),
      JSON.stringify(users),
      now,
      [...outcomes.keys()],
      [...outcomes.values()].map(({ pipeline, refusal }) => JSON.stringify({ pipeline, refusal })),
    ],
  );
}
