import type { DataSource } from 'typeorm';
import { Batches, isDataError } from '#libs/persistence';
import type { PipelineTriggered, TriggerOutcome } from '#libs/contracts';

/** What is recorded of an accepted trigger request; `event` is what will be said about it. */
export type TriggerRequest = Omit<PipelineTriggered, 'replyTo'>;

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
      `update gateway.trigger_requests as request
       set state = settled.state, status = settled.status, pipeline_id = settled.pipeline_id, outcome = settled.outcome, settled_at = now()
       from json_to_recordset($1) as settled (request_id uuid, state text, status smallint, pipeline_id bigint, outcome json)
       where request.id = settled.request_id and request.state in ('accepted', 'parked')`,
      [JSON.stringify(outcomes.map(settledRow))],
    );
  }

  /** The outcome of a request, if it is settled; null while it is not, or when there is no such request. */
  async outcome(requestId: string): Promise<TriggerOutcome | null> {
    const [row] = (await this.#database.query('select outcome from gateway.trigger_requests where id = $1', [
      requestId,
    ])) as RecordedOutcome[];
    return row?.outcome ?? null;
  }

  /** Gives a request the status URL that its caller is sent; only the hash of its secret part is kept. */
  async addStatusToken(requestId: string, tokenHash: Buffer): Promise<void> {
    await this.#database.query('update gateway.trigger_requests set status_token_hash = $2 where id = $1', [
      requestId,
      tokenHash,
    ]);
  }

  /** What a status URL tells; null when there is no such URL. */
  async byStatusToken(tokenHash: Buffer): Promise<RecordedOutcome | null> {
    const [row] = (await this.#database.query(
      `select id as "requestId", state, outcome from gateway.trigger_requests where status_token_hash = $1`,
      [tokenHash],
    )) as RecordedOutcome[];
    return row ?? null;
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
