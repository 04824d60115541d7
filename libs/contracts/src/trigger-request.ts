import { IsArray, IsIn, IsInt, IsISO8601, IsObject, IsOptional, IsString, IsUUID } from 'class-validator';
import { Nested } from './nested.decorator.js';
import type { PipelineFacts } from './pipeline.js';
import { Actor } from './user.js';
import { type PipelineSource, type TriggerChannel, triggerChannels } from './words.js';

/** The trigger whose token started a pipeline: its id and the four visible characters of the token. */
export class TriggerReference {
  @IsInt() id!: number;
  @IsString() shortToken!: string;
}

/** The job whose CI_JOB_TOKEN started a pipeline (trigger-api.md §1.7). */
export class UpstreamReference {
  @IsInt() projectId!: number;
  @IsInt() pipelineId!: number;
  @IsInt() jobId!: number;
}

/**
 * `pipeline.triggered.v1`, said by the gateway once a trigger request is recorded in its ledger. It carries everything that decides: the
 * owner and the owner's level as read at acceptance, so that a later revocation does not undo an accepted request (architecture.md §1).
 */
export class PipelineTriggered {
  static readonly type = 'pipeline.triggered.v1';

  /** Id of the ledger's row; the pipeline service creates at most one pipeline for it. */
  @IsUUID() requestId!: string;
  /** The gateway replica that waits for the outcome. */
  @IsString() replyTo!: string;
  @IsInt() projectId!: number;
  /** As given by the caller. */
  @IsString() ref!: string;
  @IsIn(['trigger', 'pipeline']) source!: Extract<PipelineSource, 'trigger' | 'pipeline'>;
  @IsIn(triggerChannels) channel!: TriggerChannel;
  @IsOptional() @Nested(() => TriggerReference) trigger?: TriggerReference | null;
  @IsOptional() @Nested(() => UpstreamReference) upstream?: UpstreamReference | null;
  /** The token's owner, or the job's user. The pipeline is created as this user. */
  @Nested(() => Actor) actor!: Actor;
  /** Pairs of key and value, in the caller's order. */
  @IsArray() variables!: [key: string, value: string][];
  /** Text of the file variable TRIGGER_PAYLOAD (trigger-api.md §1.5). */
  @IsString() payload!: string;
  @IsOptional() @IsObject() inputs?: Record<string, unknown>;
  @IsISO8601() receivedAt!: string;
}

/**
 * `trigger.outcome.v1`, said by the pipeline service to the gateway replica that published the request, or to any gateway when that one is
 * gone. Exactly one of `pipeline` and `refusal` is there. The same request id always gets the same outcome.
 */
export class TriggerOutcome {
  static readonly type = 'trigger.outcome.v1';

  @IsUUID() requestId!: string;
  @IsOptional() @IsObject() pipeline?: PipelineFacts;
  /** Status and body of GitLab's refusal; a pipeline that was stored as failed is named beside it. */
  @IsOptional() @IsObject() refusal?: {
    status: number;
    body: Record<string, unknown>;
    pipelineId?: number;
    parked?: boolean;
  };
}
