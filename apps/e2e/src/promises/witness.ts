import { readFile } from 'node:fs/promises';
import type { GetMessage } from 'amqplib';
import { JobStatusChanged, PipelineCreated, PipelineTriggered } from '#libs/contracts';
import { peekAll, takeEvents, withChannel } from '../../../../libs/messaging/src/testing/broker.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import type { Flagfall } from '../testing/flagfall.js';
import { withDatabase } from './audit.js';

/** Where a status stands on the way from creation to the end; the rest are ends, which are never left. */
const order = ['created', 'manual', 'pending', 'running', 'canceling'];
/** Well after that a job of which nothing is heard is given back or given up (job-sweeper.ts). */
const settleLimitMs = 250_000;

/** What became of jobs that were run, and of messages, since the beginning. */
export interface WorkAudit {
  ran: number;
  succeeded: number;
  /** Failed, since their runner was lost. */
  failed: number;
  /** Changes of jobs of which nobody heard: hints, which a sender or broker that dies takes along (docs/adr/0003). */
  hintsLost: number;
  /** Messages that nobody can read: sent by `poison`, and parked. */
  poisoned: number;
}

/**
 * The configuration of a project whose jobs tell that they run: one pipeline in fifty has such a job, in the others it is manual.
 * @param ranFile where each job writes its id
 * @param then what it does afterwards
 */
export function watchedWork(ranFile: string, ...then: string[]): string {
  const script = [`echo $CI_JOB_ID >> ${ranFile}`, ...then].map((line) => `'${line}'`).join(', ');
  return `
work:
  variables: { GIT_STRATEGY: none }
  script: [${script}]
  rules:
    - if: $NUMBER =~ /[27]0$/
    - when: manual
`;
}

/** Sees each change of a status in the database, and gets each event as a service of its own would: to hold what happened against what is recorded. */
export class Witness {
  readonly #queue: string;
  readonly #parkedQueue: string;
  /** What events told: `pipeline <id>` is created, `job <id> <status>`. */
  readonly #heard = new Set<string>();
  readonly #poison: string[] = [];

  private constructor(
    private readonly flagfall: Flagfall,
    private readonly ranFile: string,
  ) {
    const { namespace } = flagfall.installation;
    this.#queue = `${namespace}.witness`;
    this.#parkedQueue = `${namespace}.pipeline-service.${PipelineTriggered.type}.parked`;
  }

  /** @param ranFile where each job writes its id, each time that it runs */
  static async of(flagfall: Flagfall, ranFile: string): Promise<Witness> {
    const witness = new Witness(flagfall, ranFile);
    await withDatabase(flagfall, (database) =>
      database.query(`
        create schema witness;
        create table witness.changes (number bigint generated always as identity, kind text, id bigint, was text, now text);
        create function witness.record() returns trigger language plpgsql as $$
          begin
            insert into witness.changes (kind, id, was, now) values (tg_table_name, new.id, old.status, new.status);
            return null;
          end $$;
        create trigger record after update of status on pipelines.jobs
          for each row when (old.status <> new.status) execute function witness.record();
        create trigger record after update of status on pipelines.pipelines
          for each row when (old.status <> new.status) execute function witness.record()`),
    );
    await withChannel(async (channel) => {
      await channel.assertQueue(witness.#queue, { arguments: { 'x-queue-type': 'quorum' } });
      for (const { type } of [PipelineCreated, JobStatusChanged])
        await channel.bindQueue(witness.#queue, witness.#events, type);
    }, flagfall.installation.amqpUrl);
    return witness;
  }

  get #events(): string {
    return `${this.flagfall.installation.namespace}.events`;
  }

  /** Sends a message that no service can read; returns once the broker has it. */
  async poison(): Promise<void> {
    const text = `poison ${this.#poison.length + 1}`;
    const { amqpUrl } = this.flagfall.installation;
    await withChannel(async (channel) => {
      channel.publish(this.#events, PipelineTriggered.type, Buffer.from(text), { persistent: true });
      await channel.waitForConfirms();
    }, amqpUrl);
    this.#poison.push(text);
  }

  /**
   * Waits until every job is over, every outbox empty and every queue worked off; then holds against each other what ran, what was said and what is recorded.
   *
   * @param limitMs of each wait
   * @throws Error when a pipeline has no settled request or a request not its one pipeline; a job ran twice, or is said to have succeeded and did not run;
   *   a status went back; an event was not delivered; a message is left over or parked, or a poisoned one is not; or a trigger's last use is not its newest pipeline
   */
  async audit(limitMs = settleLimitMs): Promise<WorkAudit> {
    return withDatabase(this.flagfall, async (database) => {
      const rows = async (query: string): Promise<any[]> => (await database.query(query)).rows;
      const isEmpty = async (what: string, query: string): Promise<void> => {
        let left: unknown[] = [];
        await until(what, async () => (left = await rows(query)).length === 0, limitMs).catch((error: unknown) => {
          throw new Error(`${String(error)}: ${JSON.stringify(left.slice(0, 20))}`, { cause: error });
        });
      };
      await isEmpty(
        'all jobs to be over',
        `select id, status, runner_id, last_contact_at from pipelines.jobs where status in ('created', 'pending', 'running', 'canceling')`,
      );
      for (const schema of ['pipelines', 'tokens'])
        await isEmpty(`the outbox of ${schema} to be empty`, `select * from ${schema}.outbox`);
      await this.#queuesAreEmpty(limitMs);
      await isEmpty(
        'each trigger to be last used by its newest pipeline',
        `select t.id, t.last_used_pipeline_id, newest.id as newest from tokens.triggers as t
           join (select distinct on (trigger_id) trigger_id, id, created_at from pipelines.pipelines order by trigger_id, id desc) as newest
             on newest.trigger_id = t.id
         where t.last_used_pipeline_id is distinct from newest.id or t.last_used is distinct from newest.created_at::timestamptz(3)`,
      );
      const pipelines = await rows('select id from pipelines.pipelines');
      const changes = await rows('select * from witness.changes order by number');
      const jobs = await rows('select id::int, status from pipelines.jobs where started_at is not null');
      const ran = (await readFile(this.ranFile, 'utf8').catch(() => '')).split('\n').filter(Boolean).map(Number);
      await this.#listen();
      const faults = [
        ...(await rows(unmatched)).map((row) => `request and pipeline do not match: ${JSON.stringify(row)}`),
        ...pipelines
          .filter(({ id }) => !this.#heard.has(`pipeline ${id}`))
          .map(({ id }) => `nobody was told of pipeline ${id}`),
        ...changes
          .filter(({ was, now }) => wentBack(was, now))
          .map(({ kind, id, was, now }) => `the status of ${id} of ${kind} went from ${was} back to ${now}`),
        ...ran.filter((id, index) => ran.indexOf(id) !== index).map((id) => `job ${id} ran twice`),
        ...jobs
          .filter(({ id, status }) => status === 'success' && !ran.includes(id))
          .map(({ id }) => `job ${id} succeeded and did not run`),
        ...(await this.#wronglyParked()),
      ];
      if (faults.length > 0) throw new Error(faults.slice(0, 50).join('\n'));
      const hints = changes.filter(({ kind }) => kind === 'jobs');
      const succeeded = jobs.filter(({ status }) => status === 'success').length;
      return {
        ran: ran.length,
        succeeded,
        failed: jobs.length - succeeded,
        hintsLost: hints.filter(({ id, now }) => !this.#heard.has(`job ${id} ${now}`)).length,
        poisoned: this.#poison.length,
      };
    });
  }

  async #listen(): Promise<void> {
    for (const { type, data } of await takeEvents(this.#queue, this.flagfall.installation.amqpUrl))
      if (type === PipelineCreated.type) this.#heard.add(`pipeline ${(data as PipelineCreated).pipelineId}`);
      else this.#heard.add(`job ${(data as JobStatusChanged).jobId} ${(data as JobStatusChanged).status}`);
  }

  /** But for the witness's own, and for the one in which poisoned messages are parked. */
  async #queuesAreEmpty(limitMs: number): Promise<void> {
    let left: { name: string; messages: number }[] = [];
    await until(
      'all queues to be empty',
      async () => {
        const list = await this.flagfall.installation.broker?.control(
          '--formatter',
          'json',
          'list_queues',
          'name',
          'messages',
        );
        left = JSON.parse(list ?? '[]');
        left = left.filter(({ name, messages }) => messages > 0 && name !== this.#queue && name !== this.#parkedQueue);
        return left.length === 0;
      },
      limitMs,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(left)}`, { cause: error });
    });
  }

  /** Poison may be parked twice, where a process died between parking it and saying so; but nothing else, and all of it. */
  async #wronglyParked(): Promise<string[]> {
    const messages: GetMessage[] = await peekAll(this.#parkedQueue, this.flagfall.installation.amqpUrl);
    const parked = new Set(messages.map(({ content }) => content.toString()));
    return [
      ...this.#poison.filter((text) => !parked.has(text)).map((text) => `${text} is not parked`),
      ...[...parked].filter((text) => !this.#poison.includes(text)).map((text) => `this is parked: ${text}`),
    ];
  }
}

/** What the ledger of requests and the pipelines do not agree on. */
const unmatched = `
  select request.id as request, request.state, request.pipeline_id as told, pipeline.id as pipeline
  from gateway.trigger_requests as request full join pipelines.pipelines as pipeline on pipeline.request_id = request.id
  where request.state is null or request.state not in ('created', 'rejected')
    or (request.state = 'created') is distinct from (pipeline.id is not null) or request.pipeline_id is distinct from pipeline.id`;

function wentBack(was: string, now: string): boolean {
  return !order.includes(was) || (order.includes(now) && order.indexOf(now) < order.indexOf(was));
}
