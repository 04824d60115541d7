import { plannedEachTime } from '#libs/persistence';
import type { TriggerChannel } from '#libs/contracts';
import type { DataSource } from 'typeorm';
import type { TriggerRequest } from './ledger.js';

export const requestStates = ['accepted', 'created', 'rejected', 'parked'] as const;
export type RequestState = (typeof requestStates)[number];

/** A trigger request as its record tells it. */
export interface Delivery {
  id: string;
  state: RequestState;
  /** That the call was answered with, or would have been. */
  status: number | null;
  /** Body of the refusal. */
  refusal: Record<string, unknown> | null;
  pipelineId: number | null;
  triggerId: number | null;
  userId: number;
  ref: string;
  channel: TriggerChannel;
  receivedAt: Date;
  settledAt: Date | null;
  publishAttempts: number;
  /** The user's and the token's names as they were then, where they could be told without reading all of the request. */
  username: string | null;
  name: string | null;
  shortToken: string | null;
}

/** The same with everything that was sent. */
export interface WholeDelivery extends Delivery {
  request: TriggerRequest;
}

export interface DeliveryFilter {
  projectId: number;
  state: RequestState | null;
  triggerId: number | null;
  /** Only those before this one. */
  before: string | null;
  limit: number;
}

type Names = Pick<Delivery, 'username' | 'name' | 'shortToken'>;
type Row = Omit<Delivery, keyof Names> & { event: string };

/** A request may have megabytes, and text in it that PostgreSQL takes for no JSON: a list reads as many characters of it, which begin with the caller. */
const beginning = 2_000;
const callerPattern = /^\{"projectId":\d+,"source":"\w+","actor":(\{[^{}]*\}),"trigger":(\{[^{}]*\}|null)/;
const beyondAll = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const columns = `request.id, request.state, request.status, request.outcome -> 'refusal' -> 'body' as refusal, request.pipeline_id as "pipelineId",
  request.trigger_id as "triggerId", request.user_id as "userId", request.ref, request.channel, request.received_at as "receivedAt",
  request.settled_at as "settledAt", request.publish_attempts as "publishAttempts"`;
/** Conditions that the partial indexes fit, literally; what is under way has the index by which it is published again. */
const indexed = {
  created: `state = 'created'`,
  refused: `state in ('rejected', 'parked')`,
  accepted: `state = 'accepted'`,
};
const conditions: Record<RequestState | 'any', readonly string[]> = {
  any: Object.values(indexed),
  created: [indexed.created],
  accepted: [indexed.accepted],
  rejected: [`${indexed.refused} and state = 'rejected'`],
  parked: [`${indexed.refused} and state = 'parked'`],
};

/** Reads the ledger for people: which calls came to a project, and what became of them. */
export class DeliveryLog {
  readonly #database: DataSource;

  constructor(database: DataSource) {
    this.#database = database;
  }

  /** The newest first; ids sort by time. */
  async list({ projectId, state, triggerId, before, limit }: DeliveryFilter): Promise<Delivery[]> {
    const parts = conditions[state ?? 'any'].map(
      (condition) => `(select id from gateway.trigger_requests
        where project_id = $1 and ${condition} and id < $2 and ($3::bigint is null or trigger_id = $3) order by id desc limit $4)`,
    );
    const rows = (await this.#database.query(
      `${plannedEachTime} select ${columns}, left(request.event, ${beginning}) as event
       from (select id from (${parts.join(' union all ')}) as part order by id desc limit $4) as found join gateway.trigger_requests as request using (id)
       order by request.id desc`,
      [projectId, before ?? beyondAll, triggerId, limit],
    )) as Row[];
    return rows.map(({ event, ...row }) => ({ ...row, ...namesIn(event) }));
  }

  /** @returns null when the project has no such request */
  async find(projectId: number, requestId: string): Promise<WholeDelivery | null> {
    const [found] = (await this.#database.query(
      `select ${columns}, request.event from gateway.trigger_requests as request where id = $1 and project_id = $2`,
      [requestId, projectId],
    )) as Row[];
    if (!found) return null;
    const { event, ...row } = found;
    const request = JSON.parse(event) as TriggerRequest;
    const { username, name } = request.actor;
    return { ...row, username, name, shortToken: request.trigger?.shortToken ?? null, request };
  }
}

function namesIn(event: string): Names {
  const [, actor, trigger] = callerPattern.exec(event) ?? [];
  if (actor === undefined || trigger === undefined) return { username: null, name: null, shortToken: null };
  const { username, name } = JSON.parse(actor) as TriggerRequest['actor'];
  return { username, name, shortToken: (JSON.parse(trigger) as TriggerRequest['trigger'])?.shortToken ?? null };
}
