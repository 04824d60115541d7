import type { DataSource } from 'typeorm';
import { Batches, isDataError, plannedEachTime, uuidv7 } from '#libs/persistence';
import { conflict, type PipelineTriggered, type TriggerOutcome, unprocessable } from '#libs/contracts';
import { type IdempotencyKey, keptHours } from './idempotency-key.js';

/** What is recorded of an accepted trigger request: what will be said about it, and the headers of the call that the delivery log shows. */
export type TriggerRequest = Omit<PipelineTriggered, 'replyTo'> & { headers?: Record<string, string> };

/** What a status URL tells: nothing but the outcome. */
export interface RecordedOutcome {
  requestId: string;
  state: 'accepted' | 'created' | 'rejected' | 'parked';
  outcome: TriggerOutcome | null;
}

/** Raised when it cannot be said whether a request was recorded: the caller gets a 503, and at most one pipeline exists. */
export class LedgerUnavailable extends Error {
  override readonly name = 'LedgerUnavailable';
}

/**
 * A request whose publish was not confirmed, or whose process died, is published again after this time; doubled with each try up to the
 * longest. Longer than a fetch of a slow repository usually takes, since until the outcome is there nothing tells the two apart.
 */
const firstRepublishSeconds = 30;
const longestRepublishSeconds = 600;
const purgeBatch = 1_000;
const mostCounted = 100_000;
/** Of a key: nothing is to come of its request any more. */
const isOver = `not exists (select from gateway.trigger_requests as request where request.id = known.request_id and request.state in ('accepted', 'parked'))`;
/** What becomes of a request that failed too often, once an operator has thrown its message away. */
const givenUp = {
  status: 500,
  body: { message: '500 Internal Server Error - it failed too often, and an administrator gave it up' },
};

/** The rows of `gateway.trigger_requests`. From the commit of `record` on, a request is never lost. */
export class Ledger {
  readonly #database: DataSource;
  readonly #records: Batches<TriggerRequest, void>;

  constructor(database: DataSource) {
    this.#database = database;
    this.#records = new Batches(
      async (requests): Promise<void[]> => {
        await this.#insert(requests);
        return requests.map(() => undefined);
      },
      { blame: isDataError },
    );
  }

  /**
   * Commits one row. Requests that arrive while a commit is under way share the next one.
   * @throws LedgerUnavailable when the row is not known to be there
   */
  async record(request: TriggerRequest): Promise<void> {
    try {
      await this.#records.add(request);
    } catch (error) {
      if (await this.#isRecorded(request.requestId)) return;
      throw new LedgerUnavailable('The trigger request could not be recorded', { cause: error });
    }
  }

  /**
   * The same for a request that says under which key it may be repeated: of any number with one key, one is recorded. In one statement, so that
   * neither is there without the other.
   *
   * @returns the id of the request that is recorded under the key, which is another one's when this one repeats it
   * @throws Refusal 422 when the key stands for a request that asked for something else; LedgerUnavailable as above
   */
  async recordOnce(request: TriggerRequest, key: IdempotencyKey): Promise<string> {
    const recorded = await this.#insertOnce(request, key).catch(async (error: unknown) => {
      if (await this.#isRecorded(request.requestId)) return true;
      throw new LedgerUnavailable('The trigger request could not be recorded', { cause: error });
    });
    if (recorded) return request.requestId;
    const [first] = (await this.#database.query(
      'select request_id as "requestId", fingerprint = $2 as same from gateway.idempotency_keys where key_hash = $1',
      [key.hash, key.fingerprint],
    )) as { requestId: string; same: boolean }[];
    // Its time was over between the two statements.
    if (!first) throw conflict('the Idempotency-Key has just expired, send the request again');
    if (!first.same) throw unprocessable('The Idempotency-Key was used for another request');
    return first.requestId;
  }

  /** @returns false when the key was taken */
  async #insertOnce(request: TriggerRequest, { hash, fingerprint }: IdempotencyKey): Promise<boolean> {
    const rows: unknown[] = await this.#database.query(
      `with claimed as (
         insert into gateway.idempotency_keys as known (key_hash, fingerprint, request_id, created_at) values ($1, $2, $3, now())
         on conflict (key_hash) do update
           set fingerprint = excluded.fingerprint, request_id = excluded.request_id, created_at = excluded.created_at
           where known.created_at < now() - make_interval(hours => $4) and ${isOver}
         returning request_id
       )
       insert into gateway.trigger_requests
         (id, project_id, trigger_id, user_id, ref, channel, event, state, received_at, next_publish_at)
       select request_id, $5::bigint, $6::bigint, $7::bigint, $8, $9, $10, 'accepted', $11::timestamptz, now() + make_interval(secs => $12)
       from claimed returning id`,
      [
        hash,
        fingerprint,
        request.requestId,
        keptHours,
        request.projectId,
        request.trigger?.id ?? null,
        request.actor.id,
        request.ref,
        request.channel,
        JSON.stringify(request),
        request.receivedAt,
        firstRepublishSeconds,
      ],
    );
    return rows.length > 0;
  }

  async #insert(requests: TriggerRequest[]): Promise<void> {
    await this.#database.query(
      `insert into gateway.trigger_requests
         (id, project_id, trigger_id, user_id, ref, channel, event, state, received_at, next_publish_at)
       select id, project_id, trigger_id, user_id, ref, channel, event, 'accepted', received_at, now() + make_interval(secs => $9)
       from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], string_to_array($7, chr(30)), $8::timestamptz[])
         as request (id, project_id, trigger_id, user_id, ref, channel, event, received_at)`,
      [
        requests.map(({ requestId }) => requestId),
        requests.map(({ projectId }) => projectId),
        requests.map(({ trigger }) => trigger?.id ?? null),
        requests.map(({ actor }) => actor.id),
        requests.map(({ ref }) => ref),
        requests.map(({ channel }) => channel),
        // JSON holds no control characters, so one separates texts that would otherwise have to be escaped one by one.
        requests.map((request) => JSON.stringify(request)).join('\x1e'),
        requests.map(({ receivedAt }) => receivedAt),
        firstRepublishSeconds,
      ],
    );
  }

  /** When the connection breaks during the commit, only the database knows. */
  async #isRecorded(requestId: string): Promise<boolean> {
    try {
      const rows: unknown[] = await this.#database.query('select from gateway.trigger_requests where id = $1', [
        requestId,
      ]);
      return rows.length > 0;
    } catch {
      return false;
    }
  }

  /** Writes outcomes down; a row that has one already keeps it, so outcomes may be delivered again. */
  async settle(outcomes: TriggerOutcome[]): Promise<void> {
    await this.#database.query(
      `${plannedEachTime} update gateway.trigger_requests as request
       set state = settled.state, status = settled.status, pipeline_id = settled.pipeline_id, outcome = settled.outcome, settled_at = now()
       from json_to_recordset($1) as settled (request_id uuid, state text, status smallint, pipeline_id bigint, outcome json)
       where request.id = settled.request_id and request.state in ('accepted', 'parked')`,
      [JSON.stringify(outcomes.map(settledRow))],
    );
  }

  /** The outcome of a request, if it is settled; null while it is not, or when there is no such request. */
  async outcome(requestId: string): Promise<TriggerOutcome | null> {
    const [outcome] = await this.outcomes([requestId]);
    return outcome ?? null;
  }

  /** The outcomes of those requests that are settled. */
  async outcomes(requestIds: string[]): Promise<TriggerOutcome[]> {
    const rows = (await this.#database.query(
      'select outcome from gateway.trigger_requests where id = any($1::uuid[]) and outcome is not null',
      [requestIds],
    )) as { outcome: TriggerOutcome }[];
    return rows.map(({ outcome }) => outcome);
  }

  /** Gives a request a status URL, which its caller is sent; only the hash of its secret part is kept. It may have it already. */
  async addStatusToken(requestId: string, tokenHash: Buffer): Promise<void> {
    await this.#database.query(
      'insert into gateway.status_tokens (token_hash, request_id) values ($1, $2) on conflict do nothing',
      [tokenHash, requestId],
    );
  }

  /** What a status URL tells; null when there is no such URL. */
  async byStatusToken(tokenHash: Buffer): Promise<RecordedOutcome | null> {
    const [row] = (await this.#database.query(
      `select request.id as "requestId", request.state, request.outcome
       from gateway.status_tokens as token join gateway.trigger_requests as request on request.id = token.request_id
       where token.token_hash = $1`,
      [tokenHash],
    )) as RecordedOutcome[];
    return row ?? null;
  }

  /**
   * Parked requests wait for their outcome again, as they are about to be replayed; those that have one keep it.
   * @returns how many of them have none now: none where all were settled after all, or are not known any more
   */
  async unpark(requestIds: string[]): Promise<number> {
    const [row] = (await this.#database.query(
      `with unparked as (
         update gateway.trigger_requests
         set state = 'accepted', status = null, outcome = null, settled_at = null, publish_attempts = 0,
             next_publish_at = now() + make_interval(secs => $2)
         where id = any($1::uuid[]) and state = 'parked' returning id
       )
       select count(*)::int as open from (
         select id from unparked union select id from gateway.trigger_requests where id = any($1::uuid[]) and state = 'accepted'
       ) as request`,
      [requestIds, firstRepublishSeconds],
    )) as { open: number }[];
    return row?.open ?? 0;
  }

  /** Parked requests that nobody will replay any more are rejected with what their callers were told, so that they do not wait for ever. */
  async giveUp(requestIds: string[]): Promise<void> {
    await this.#database.query(
      `update gateway.trigger_requests
       set state = 'rejected', settled_at = now(), status = $2::int,
           outcome = json_build_object('requestId', id, 'refusal', json_build_object('status', $2::int, 'body', $3::json))
       where id = any($1::uuid[]) and state = 'parked'`,
      [requestIds, givenUp.status, JSON.stringify(givenUp.body)],
    );
  }

  /** Requests without an outcome, of all gateways, and for how long the oldest of them has been recorded; at most 100,000 are looked at. */
  async unsettled(): Promise<{ count: number; oldestSeconds: number }> {
    const [row] = (await this.#database.query(
      `select count(*)::int as count, coalesce(extract(epoch from now() - min(received_at)), 0)::float8 as "oldestSeconds"
       from (select received_at from gateway.trigger_requests where state = 'accepted' order by next_publish_at limit ${mostCounted}) as request`,
    )) as { count: number; oldestSeconds: number }[];
    return row ?? { count: 0, oldestSeconds: 0 };
  }

  /** Whether some request is due to be published again. */
  async hasDue(): Promise<boolean> {
    const rows: unknown[] = await this.#database.query(
      `select from gateway.trigger_requests where state = 'accepted' and next_publish_at <= now() limit 1`,
    );
    return rows.length > 0;
  }

  /**
   * Deletes what nobody asks for any more: requests that were received and have had their outcome before a time, and keys whose time is over.
   * Replicas may do it at once. What is not settled, or parked, stays, and so does what was replayed and settled later.
   * @returns how many requests there were
   */
  async purge(before: Date): Promise<number> {
    await this.#database.query(
      `delete from gateway.idempotency_keys as known where created_at < now() - make_interval(hours => $1) and ${isOver}`,
      [keptHours],
    );
    for (let purged = 0; ;) {
      // Ids sort by the time at which they were made.
      const [, count] = (await this.#database.query(
        `delete from gateway.trigger_requests where id in (
           select id from gateway.trigger_requests where id < $1 and state in ('created', 'rejected') and settled_at < $2
           order by id limit ${purgeBatch} for update skip locked)`,
        [uuidv7(before.getTime(), Buffer.alloc(10)), before],
      )) as [unknown, number];
      purged += count;
      if (count < purgeBatch) return purged;
    }
  }

  /** Requests whose publish was not confirmed: to be published as soon as the broker is there again. */
  async publishSoon(requestIds: string[]): Promise<void> {
    await this.#database.query(
      `update gateway.trigger_requests set next_publish_at = now() where id = any($1::uuid[]) and state = 'accepted'`,
      [requestIds],
    );
  }

  /** Takes requests that are due to be published again; each is given to one replica only. */
  async claimDue(limit: number): Promise<TriggerRequest[]> {
    const [rows] = (await this.#database.query(
      `update gateway.trigger_requests
       set publish_attempts = publish_attempts + 1,
           next_publish_at = now() + make_interval(secs => least($2 * power(2, publish_attempts), $3))
       where id in (select id from gateway.trigger_requests where state = 'accepted' and next_publish_at <= now()
                    order by next_publish_at limit $1 for update skip locked)
       returning event`,
      [limit, 2 * firstRepublishSeconds, longestRepublishSeconds],
    )) as [{ event: string }[], number];
    return rows.map(({ event }) => JSON.parse(event) as TriggerRequest);
  }
}

function settledRow(outcome: TriggerOutcome): object {
  const { requestId, pipeline, refusal } = outcome;
  return {
    request_id: requestId,
    state: refusal?.parked ? 'parked' : pipeline ? 'created' : 'rejected',
    status: refusal?.status ?? 201,
    pipeline_id: pipeline?.id ?? refusal?.pipelineId,
    outcome,
  };
}
