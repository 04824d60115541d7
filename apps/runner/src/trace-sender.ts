import { offsetAfterRefusal } from './content-range.js';
import { askedPause, describeAnswer, type Coordinator, type JobUpdate } from './coordinator.js';
import type { Answer } from './http-client.js';
import type { JobLog } from './job-log.js';
import type { JobPayload } from './job.payload.js';
import { reportableReason, type JobOutcome } from './outcome.js';
import { pause } from './pause.js';
import { reactToFinalUpdate, reactToTrace, reactToUpdate, updateInterval, type Reaction } from './reactions.js';

/** gitlab-runner's default between two PATCHes (runner-api.md §4.3). */
const DEFAULT_INTERVAL_MS = 3000;
/**
 * A job whose first output came just now is worth watching: gaps double from here to the interval. The first output is the echo of
 * the first command; its result follows within a moment and goes along.
 */
const FIRST_GAP_MS = 25;
const FIRST_OUTPUT_DELAY_MS = 5;
/**
 * Nothing sent for so long: a keep-alive PUT (runner-api.md §3.1). Sooner where the coordinator asks for shorter intervals, so that
 * also a silent job hears of its cancellation within one interval.
 */
const LONGEST_SILENCE_MS = 30_000;
/** Pauses after the failed tries of the end of a job, in seconds (runner-api.md §3.2). */
const FINAL_PAUSES_S = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/** A live log, and the news of a cancel, wait no longer than that for a coordinator in trouble. */
const LONGEST_ASKED_MS = 60_000;
/** 202 and 412 have no limit in the protocol; a coordinator that repeats them for ever must not keep a worker for ever. */
const LONGEST_FINISH_MS = 60 * 60_000;
const LARGEST_LOG_RESENDS = 5;

interface TraceListener {
  /** The coordinator wants the job canceled, with its after_script. */
  cancel(): void;
  /** The coordinator no longer knows the job as running. */
  abort(): void;
}

/** `refused`: the coordinator had ended the job itself; `lost`: it could not be told. */
type Delivery = { kind: 'reported' } | { kind: 'refused' } | { kind: 'lost'; why: string };

/** Carries the log of one job, and at the end its outcome, to the coordinator; hears from its answers what becomes of the job. */
export class TraceSender {
  private sent = 0;
  private intervalMs = DEFAULT_INTERVAL_MS;
  private gapMs = FIRST_GAP_MS;
  /** How long the last answer asked to wait, where it was one of trouble. */
  private askedMs = 0;
  private nextPatchAt = performance.now() + DEFAULT_INTERVAL_MS;
  private lastContactAt = performance.now();
  private finishing = false;
  private following: Promise<void> = Promise.resolve();
  /** Aborted when nobody waits for the coordinator any longer. */
  private readonly abandoned = new AbortController();
  private wake: () => void = () => undefined;
  private wakeOnGrowth = false;
  private over = false;

  constructor(
    private readonly coordinator: Coordinator,
    private readonly job: JobPayload,
    private readonly log: JobLog,
    private readonly debugTrace: boolean,
    private readonly listener: TraceListener,
  ) {
    log.onGrowth = () => {
      if (this.wakeOnGrowth) this.wake();
    };
  }

  start(): void {
    this.following = this.follow();
  }

  /** The script speaks: its first bytes are sent at once. */
  expedite(): void {
    this.nextPatchAt = Math.min(this.nextPatchAt, performance.now() + FIRST_OUTPUT_DELAY_MS);
    this.wake();
  }

  /** Takes over what an answer that was got elsewhere says about interval and job. */
  heed(answer: Answer, reaction: Reaction): void {
    this.lastContactAt = performance.now();
    this.intervalMs = updateInterval(answer) ?? this.intervalMs;
    if (answer.status >= 400) this.askedMs = Math.min(askedPause(answer.headers, Date.now()) ?? 0, LONGEST_ASKED_MS);
    if (reaction === 'cancel') this.listener.cancel();
    if (reaction === 'abort') {
      this.over = true;
      this.listener.abort();
    }
  }

  /**
   * Sends the rest of the log and then the outcome, trying again as runner-api.md §3.2 says; does not throw.
   * @param giveUp ends all tries
   */
  async finish(outcome: JobOutcome, giveUp: AbortSignal): Promise<Delivery> {
    const abandon = () => this.abandoned.abort();
    giveUp.addEventListener('abort', abandon, { once: true });
    if (giveUp.aborted) abandon();
    this.finishing = true;
    this.wake();
    await this.following;
    try {
      return await this.deliver(outcome);
    } finally {
      giveUp.removeEventListener('abort', abandon);
    }
  }

  private async deliver(outcome: JobOutcome): Promise<Delivery> {
    const giveUp = this.abandoned.signal;
    this.intervalMs = DEFAULT_INTERVAL_MS;
    const deadline = performance.now() + LONGEST_FINISH_MS;
    let failures = 0;
    let resends = 0;
    let why = 'the runner is stopping';
    while (!giveUp.aborted && performance.now() < deadline) {
      const before = this.sent;
      try {
        const trace = await this.sendRest();
        if (trace !== 'sent') throw new RefusedAnswer(trace);
        const answer = await this.coordinator.updateJob(this.job, this.finalUpdate(outcome), giveUp);
        this.intervalMs = updateInterval(answer) ?? this.intervalMs;
        const reaction = reactToFinalUpdate(answer);
        if (reaction === 'done') return answer.status === 200 ? { kind: 'reported' } : { kind: 'refused' };
        if (reaction === 'retry') throw new RefusedAnswer(answer);
        if (reaction === 'resend-log' && ++resends > LARGEST_LOG_RESENDS) {
          return { kind: 'lost', why: `the coordinator refused the log ${resends} times` };
        }
        if (reaction === 'resend-log') this.sent = 0;
        await pause(this.intervalMs, giveUp);
      } catch (error) {
        if (this.over) return { kind: 'refused' };
        why = (error as Error).message;
        if (this.sent > before) failures = 0;
        const seconds = FINAL_PAUSES_S[failures++];
        if (seconds === undefined) break;
        const asked = error instanceof RefusedAnswer ? (askedPause(error.answer.headers, Date.now()) ?? 0) : 0;
        await pause(Math.max(seconds * 1000, Math.min(asked, 256_000)), giveUp);
      }
    }
    return { kind: 'lost', why };
  }

  private finalUpdate(outcome: JobOutcome): JobUpdate {
    if (outcome.state === 'success') return { state: 'success', ...this.sums() };
    return {
      state: 'failed',
      failure_reason: reportableReason(outcome.reason, this.job.failureReasons),
      ...(outcome.exitCode ? { exit_code: outcome.exitCode } : {}),
      ...this.sums(),
    };
  }

  private sums(): Pick<JobUpdate, 'checksum' | 'output'> {
    const { checksum, size } = this.log;
    return { checksum, output: { checksum, bytesize: size } };
  }

  /** While the job runs: PATCHes by the rhythm of the interval, a keep-alive where there is nothing to send. */
  private async follow(): Promise<void> {
    while (!this.finishing && !this.over) {
      const pending = this.log.size > this.sent;
      const silenceMs = Math.max(Math.min(this.intervalMs, LONGEST_SILENCE_MS), this.askedMs);
      const dueAt = pending ? this.nextPatchAt : this.lastContactAt + silenceMs;
      if (performance.now() < dueAt) {
        this.wakeOnGrowth = !pending;
        await this.sleepUntil(dueAt);
        continue;
      }
      this.askedMs = 0;
      try {
        if (pending) await this.sendPending();
        else await this.keepAlive();
      } catch {
        // The coordinator is away: the log is on disk, the next interval tries again.
        this.lastContactAt = performance.now();
      }
      this.nextPatchAt = performance.now() + Math.max(Math.min(this.gapMs, this.intervalMs), this.askedMs);
      this.gapMs *= 2;
    }
  }

  /** Ends early when the log grows, the job finishes or the script speaks for the first time. */
  private async sleepUntil(time: number): Promise<void> {
    const woken = new AbortController();
    this.wake = () => woken.abort();
    await pause(time - performance.now(), woken.signal);
    this.wake = () => undefined;
  }

  private async sendPending(): Promise<void> {
    const target = this.log.size;
    let restarted = false;
    while (this.sent < target && !this.over) {
      const answer = await this.patch();
      // Two refusals in a row would be a conversation in circles.
      if (answer.status === 416 && !restarted) restarted = true;
      else if (answer.status !== 202) return;
    }
  }

  private async keepAlive(): Promise<void> {
    const update: JobUpdate = { state: 'running', ...this.sums() };
    const answer = await this.coordinator.updateJob(this.job, update, this.abandoned.signal);
    this.heed(answer, reactToUpdate(answer));
  }

  /** At the end. Returns the answer that stopped it, or `sent`; a 403 or 404 leaves the rest of the log unsent. */
  private async sendRest(): Promise<'sent' | Answer> {
    let refusals = 0;
    while (this.sent < this.log.size && !this.over) {
      const answer = await this.patch();
      if (answer.status === 404) return 'sent';
      if (answer.status === 202) refusals = 0;
      else if (answer.status === 416 && refusals++ === 0) continue;
      else if (!this.over) return answer;
    }
    return 'sent';
  }

  private async patch(): Promise<Answer> {
    const bytes = this.log.read(this.sent);
    const signal = this.abandoned.signal;
    const answer = await this.coordinator.appendTrace(this.job, this.sent, bytes, this.debugTrace, signal);
    if (answer.status === 202) this.sent += bytes.length;
    if (answer.status === 416) this.sent = offsetAfterRefusal(answer.headers.range, this.sent, this.log.size);
    this.heed(answer, reactToTrace(answer));
    return answer;
  }
}

class RefusedAnswer extends Error {
  constructor(readonly answer: Answer) {
    super(describeAnswer(answer));
  }
}
