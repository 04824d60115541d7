import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { PipelineTriggered, TriggerOutcome } from '#libs/contracts';
import { Bus, type EventContext, EventPattern, type Message, RetryLater } from '#libs/messaging';
import { Batches, DatabaseClock, uuidv7 } from '#libs/persistence';
import { RepositoryUnreadable } from '../repositories/repository-errors.js';
import { Lanes } from './lanes.js';
import { PipelineCreation } from './pipeline-creation.js';
import type { PipelineOrder } from './pipeline-order.js';
import { CreatedPipelines } from './created-pipelines.repository.js';

/** Requests under way at once in this process; most of them wait for git or for the batch before theirs. */
const places = 256;
/** How long a repository that cannot be reached is tried for (architecture.md §2.5). */
const patienceMs = 15 * 60_000;
const laneDelayMs = 1_000;
const unreachableDelayMs = 5_000;

/** Hears `pipeline.triggered.v1` and creates the pipeline, at most one for each request, and tells the gateway the outcome. */
@Controller()
export class CreatePipelinesHandler {
  readonly #lanes = new Lanes(places);
  readonly #answers: Batches<{ outcome: TriggerOutcome; to: string }, void>;

  constructor(
    private readonly creation: PipelineCreation,
    private readonly created: CreatedPipelines,
    private readonly bus: Bus,
    private readonly clock: DatabaseClock,
  ) {
    this.#answers = new Batches((answers) => this.#publish(answers), { limit: 500, lanes: 64 });
  }

  @EventPattern(PipelineTriggered.type, { concurrency: places })
  async create(@Payload() { data }: Message<PipelineTriggered>, @Ctx() context: EventContext): Promise<void> {
    const leave = this.#lanes.enter(data.projectId, performance.now());
    if (!leave) throw new RetryLater(laneDelayMs, 'the project has as many requests under way as it may');
    try {
      const outcome = await this.#outcome(orderOf(data), context);
      await this.#answers.add({ outcome, to: data.replyTo });
    } catch (error) {
      // About to be parked: whoever waits is told, and the gateway publishes it no more until an operator replays it.
      if (context.lastAttempt && !(error instanceof RetryLater))
        await this.#answers.add({ outcome: parked(data.requestId), to: data.replyTo });
      throw error;
    } finally {
      leave();
    }
  }

  async #outcome(order: PipelineOrder, context: EventContext): Promise<TriggerOutcome> {
    try {
      return await this.creation.create(order, context.attempt > 1);
    } catch (error) {
      if (!(error instanceof RepositoryUnreadable)) throw error;
      const waited = this.clock.now().getTime() - Date.parse(order.receivedAt);
      if (error.transient && waited < patienceMs) throw new RetryLater(unreachableDelayMs, error.message);
      return this.created.store({ order, pipeline: null, refusal: { status: 422, message: error.message } });
    }
  }

  async #publish(answers: { outcome: TriggerOutcome; to: string }[]): Promise<void[]> {
    const byInstance = new Map<string, TriggerOutcome[]>();
    for (const { outcome, to } of answers) byInstance.set(to, [...(byInstance.get(to) ?? []), outcome]);
    const time = new Date().toISOString();
    await Promise.all(
      [...byInstance].map(([to, outcomes]) =>
        this.bus.publish(
          outcomes.map((data) => ({
            id: uuidv7(),
            type: TriggerOutcome.type,
            source: '/pipeline-service',
            time,
            data,
          })),
          { to },
        ),
      ),
    );
    return answers.map(() => undefined);
  }
}

function parked(requestId: string): TriggerOutcome {
  return { requestId, refusal: { status: 500, body: { message: '500 Internal Server Error' }, parked: true } };
}

function orderOf(data: PipelineTriggered): PipelineOrder {
  return {
    requestId: data.requestId,
    projectId: data.projectId,
    ref: data.ref,
    source: data.source,
    channel: data.channel,
    trigger: data.trigger ?? null,
    upstream: data.upstream ?? null,
    actor: data.actor,
    variables: [
      ...data.variables.map(([key, value]) => ({ key, value, type: 'env_var' as const })),
      { key: 'TRIGGER_PAYLOAD', value: data.payload, type: 'file' as const },
    ],
    inputs: data.inputs,
    receivedAt: data.receivedAt,
  };
}
