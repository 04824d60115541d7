import { IsArray, IsBoolean, IsIn, IsInt, IsNumber, IsOptional, IsString, Max, Min } from 'class-validator';
import type { JobFacts, RunnerFacts, RunnerManagerFacts } from './job.js';
import { Nested } from './nested.decorator.js';
import { type Page, PageRequest } from './page.js';
import { Request } from './request.js';
import { IsSecretHash } from './secret-hash.js';
import { Actor, type UserFacts } from './user.js';
import { type Status, statuses } from './words.js';

export const runnerTypes = ['instance_type', 'project_type'] as const;
export type RunnerType = (typeof runnerTypes)[number];
export const runnerStatuses = ['online', 'offline', 'stale', 'never_contacted'] as const;
export const runnerAccessLevels = ['not_protected', 'ref_protected'] as const;
export type RunnerAccessLevel = (typeof runnerAccessLevels)[number];

/** Everything that is told about a runner to those who may manage it. */
export interface RunnerDetails extends RunnerFacts {
  locked: boolean;
  runUntagged: boolean;
  tagList: string[];
  accessLevel: RunnerAccessLevel;
  maximumTimeout: number | null;
  maintenanceNote: string | null;
  contactedAt: string | null;
  createdAt: string;
  /** Null for one that made itself known with a registration token. */
  creatorId: number | null;
  createdBy: UserFacts | null;
  /** Those whose jobs a project runner takes; `namespace` as people read it. */
  projects: { id: number; name: string; path: string; fullPath: string; namespace: string }[];
  /** The machine that was heard of last. */
  manager: RunnerManagerFacts | null;
  /** It has a job. */
  busy: boolean;
}

/** Makes a runner; its token is made and hashed in the gateway (runner-api.md §1.2). */
export class CreateRunner extends Request<RunnerDetails> {
  static readonly pattern = 'runner.create';

  @IsIn(runnerTypes) runnerType!: RunnerType;
  @IsOptional() @IsInt() projectId?: number | null;
  @IsString() description!: string;
  @IsBoolean() paused!: boolean;
  @IsBoolean() locked!: boolean;
  @IsBoolean() runUntagged!: boolean;
  @IsArray() @IsString({ each: true }) tagList!: string[];
  @IsIn(runnerAccessLevels) accessLevel!: RunnerAccessLevel;
  @IsOptional() @IsInt() @Min(600) maximumTimeout?: number | null;
  @IsOptional() @IsString() maintenanceNote?: string | null;
  @IsInt() creatorId!: number;
  @IsSecretHash() tokenHash!: string;
}

/** Runners that somebody may manage: administrators all, others those they made and those of their projects. */
export class ListRunners extends PageRequest<RunnerDetails> {
  static readonly pattern = 'runner.list';

  @Nested(() => Actor) actor!: Actor;
  /** Null for all runners. */
  @IsOptional() @IsInt() projectId?: number | null;
  /** Only runners of these projects, and those the actor made; null for no such limit. */
  @IsOptional() @IsArray() @IsInt({ each: true }) projectIds?: number[] | null;
  @IsOptional() @IsIn(runnerTypes) type?: RunnerType | null;
  @IsOptional() @IsIn(runnerStatuses) status?: RunnerFacts['status'] | null;
  @IsOptional() @IsBoolean() paused?: boolean | null;
  /** Only runners that have all of these. */
  @IsOptional() @IsArray() @IsString({ each: true }) tagList?: string[] | null;
  /** Only runners with a machine whose version begins so. */
  @IsOptional() @IsString() versionPrefix?: string | null;
}

/** Names one runner; refused with 404 when there is none, with 403 when the actor may not manage it. */
export abstract class ManagedRunner<Reply = RunnerDetails> extends Request<Reply> {
  @IsInt() runnerId!: number;
  @Nested(() => Actor) actor!: Actor;
  /** The projects of which the actor is at least a Maintainer. */
  @IsArray() @IsInt({ each: true }) maintained!: number[];
}

/** One runner. */
export class ShowRunner extends ManagedRunner {
  static readonly pattern = 'runner.show';
}

/** Changes what is given. */
export class EditRunner extends ManagedRunner {
  static readonly pattern = 'runner.edit';

  @IsOptional() @IsString() description?: string;
  @IsOptional() @IsBoolean() paused?: boolean;
  @IsOptional() @IsBoolean() locked?: boolean;
  @IsOptional() @IsBoolean() runUntagged?: boolean;
  @IsOptional() @IsArray() @IsString({ each: true }) tagList?: string[];
  @IsOptional() @IsIn(runnerAccessLevels) accessLevel?: RunnerAccessLevel;
  @IsOptional() @IsInt() @Min(600) maximumTimeout?: number | null;
  @IsOptional() @IsString() maintenanceNote?: string | null;
}

/** Lets a project's jobs be taken by a runner of other projects. Refused with 403 where it is locked or takes the jobs of all projects anyway. */
export class AssignRunner extends ManagedRunner {
  static readonly pattern = 'runner.assign';

  @IsInt() projectId!: number;
}

/** Ends that. Refused with 404 where the runner is none of the project's, with 403 where it has no other project. */
export class UnassignRunner extends Request<null> {
  static readonly pattern = 'runner.unassign';

  @IsInt() runnerId!: number;
  @IsInt() projectId!: number;
}

/** The machines of a runner, the one heard of last first. */
export class ListRunnerManagers extends ManagedRunner<RunnerManagerFacts[]> {
  static readonly pattern = 'runner.list-managers';
}

/** The jobs that a runner has or had. */
export class ListRunnerJobs extends ManagedRunner<Page<RunnerJob>> {
  static readonly pattern = 'runner.list-jobs';

  /** Only those of these projects; null for all. */
  @IsOptional() @IsArray() @IsInt({ each: true }) projectIds?: number[] | null;
  @IsOptional() @IsIn(statuses) status?: Status | null;
  /** Only those of one machine. */
  @IsOptional() @IsString() systemId?: string | null;
  @IsBoolean() oldestFirst!: boolean;
  @IsInt() @Min(1) page!: number;
  @IsInt() @Min(1) @Max(100) perPage!: number;
}

/** A job, and the project that it is of. */
export interface RunnerJob {
  job: JobFacts;
  project: RunnerDetails['projects'][number] & { description: string | null; createdAt: string };
}

/** Removes a runner; its token is worthless from then on. Refused with 403 for others than administrators where several projects have it. */
export class DeleteRunner extends ManagedRunner {
  static readonly pattern = 'runner.delete';
}

/** Gives a runner another token; the old one stops working at once. */
export class ResetRunnerToken extends ManagedRunner {
  static readonly pattern = 'runner.reset-token';

  @IsSecretHash() tokenHash!: string;
}

/**
 * A runner makes itself known (runner-api.md §1.3). Refused with 410 while registration is switched off, with 403 when nobody gave out the
 * registration token.
 */
export class RegisterRunner extends Request<{ id: number }> {
  static readonly pattern = 'runner.register';

  @IsSecretHash() registrationTokenHash!: string;
  @IsString() description!: string;
  @IsBoolean() paused!: boolean;
  @IsBoolean() locked!: boolean;
  @IsBoolean() runUntagged!: boolean;
  @IsArray() @IsString({ each: true }) tagList!: string[];
  @IsIn(runnerAccessLevels) accessLevel!: RunnerAccessLevel;
  @IsOptional() @IsInt() @Min(600) maximumTimeout?: number | null;
  @IsOptional() @IsString() maintenanceNote?: string | null;
  @IsSecretHash() tokenHash!: string;
}

/** Gives out another registration token; the one before stops working at once. */
export class ResetRegistrationToken extends Request<null> {
  static readonly pattern = 'runner.reset-registration-token';

  /** Null for runners of the whole installation. */
  @IsOptional() @IsInt() projectId?: number | null;
  @IsSecretHash() tokenHash!: string;
}

/**
 * What a runner may do with its own token: be known, get a new one, or go. Answered with null when the token is unknown; `orphaned` is a runner of
 * projects that are no more.
 */
export class RunnerCall extends Request<{ id: number; orphaned: boolean } | null> {
  static readonly pattern = 'runner.call';

  @IsSecretHash() tokenHash!: string;
  @IsIn(['verify', 'reset', 'forget-machine', 'remove']) what!: 'verify' | 'reset' | 'forget-machine' | 'remove';
  @IsOptional() @IsSecretHash() newTokenHash?: string;
  @IsOptional() @IsString() systemId?: string;
}

/** What a runner tells of itself with a request (runner-api.md §2.1). */
export class RunnerInfo {
  @IsOptional() @IsString() name?: string;
  @IsOptional() @IsString() version?: string;
  @IsOptional() @IsString() revision?: string;
  @IsOptional() @IsString() platform?: string;
  @IsOptional() @IsString() architecture?: string;
  @IsOptional() @IsString() executor?: string;
  @IsBoolean() cancelsGracefully!: boolean;
}

/** What a job asks of its runner (runner-api.md §1.8). */
export interface JobOutline {
  projectId: number;
  tags: string[];
  protected: boolean;
}

/** Which jobs a runner may take. */
export interface RunnerReach {
  tags: string[];
  runUntagged: boolean;
  protectedOnly: boolean;
  /** Null for an instance runner, which takes those of every project. */
  projectIds: number[] | null;
}

/** What came of asking for a job. */
export type JobRequestOutcome =
  | { outcome: 'unknown runner' }
  | { outcome: 'paused' }
  | { outcome: 'orphaned' }
  | { outcome: 'none'; reach: RunnerReach }
  | { outcome: 'assigned'; jobId: number; payload: Record<string, unknown> };

/** A runner asks for a job. Of any number that ask at once, each job goes to one. */
export class RequestJob extends Request<JobRequestOutcome> {
  static readonly pattern = 'job.request';

  @IsSecretHash() tokenHash!: string;
  @IsString() systemId!: string;
  @Nested(() => RunnerInfo) info!: RunnerInfo;
  @IsOptional() @IsString() ipAddress?: string | null;
  /** What the payload has wherever the job's token belongs, which the gateway puts there: it tells nobody (architecture.md §5.1). */
  @IsString() jobToken!: string;
  @IsSecretHash() jobTokenHash!: string;
}

/** A job whose runner was gone before it could be told goes back to the queue, as if it had not been handed out. */
export class ReturnJob extends Request<null> {
  static readonly pattern = 'job.return';

  @IsInt() jobId!: number;
  @IsSecretHash() tokenHash!: string;
}

/** What the jobs in the queue ask of runners, and how many there are of each kind; a gateway asks for all the requests that it holds. */
export class ListWaitingJobs extends Request<(JobOutline & { count: number })[]> {
  static readonly pattern = 'job.list-waiting';
}

/** Which of some jobs are over, and which there are none of any more: for the logs of jobs, which the gateways keep. */
export class FindEndedJobs extends Request<{ ended: number[]; gone: number[] }> {
  static readonly pattern = 'job.find-ended';

  @IsArray() @IsInt({ each: true }) jobIds!: number[];
}

/** What a runner that reports is told. */
export interface JobReportAnswer {
  /** Whether the report counts: the token fits and the job is not over. */
  accepted: boolean;
  /** Null when the token does not fit any job of this id. */
  jobStatus: Status | null;
  /** The report is to be made again with the coverage that this regular expression finds in the log; nothing has happened yet. */
  coveragePattern?: string;
}

/** A runner says how a job of its goes (runner-api.md §3); with `pending`, only that it still wants it. */
export class ReportJob extends Request<JobReportAnswer> {
  static readonly pattern = 'job.report';

  @IsInt() jobId!: number;
  @IsSecretHash() tokenHash!: string;
  @IsIn(['pending', 'running', 'success', 'failed']) state!: 'pending' | 'running' | 'success' | 'failed';
  @IsOptional() @IsString() failureReason?: string | null;
  @IsOptional() @IsInt() exitCode?: number | null;
  /** Percent; null: looked for and not found; left out: not looked for. */
  @IsOptional() @IsNumber() coverage?: number | null;
  /** Bytes of log stored. */
  @IsOptional() @IsInt() @Min(0) @Max(Number.MAX_SAFE_INTEGER) traceSize?: number | null;
  /** The log may show every variable of the job. */
  @IsOptional() @IsBoolean() debugTrace?: boolean;
}

/**
 * A gateway says which jobs were heard of since it said so last, every few seconds and also when there were none: silence of a runner counts only
 * while gateways would pass on what it says.
 */
export class ReportContacts extends Request<null> {
  static readonly pattern = 'job.report-contacts';

  /** Job and bytes of log stored, null where none came. */
  @IsArray() contacts!: [jobId: number, traceSize: number | null][];
}

/** The job that a token belongs to, for `GET /job`; null when it does not run. */
export class ShowOwnJob extends Request<JobFacts | null> {
  static readonly pattern = 'job.show-own';

  @IsSecretHash() tokenHash!: string;
}

/**
 * Where a project can be cloned from just now: an address inside the installation that is good for one request (architecture.md §5.5). Refused with
 * 503 and the reason when the repository cannot be read.
 */
export class OpenCloneSource extends Request<{ url: string }> {
  static readonly pattern = 'repository.clone-source';

  @IsInt() projectId!: number;
  /** The pipeline whose commit must be there; null for the repository as it is now. */
  @IsOptional() @IsInt() pipelineId?: number | null;
  /** Whether this is the first request of a clone; the further ones are about what it told. */
  @IsBoolean() begins!: boolean;
}
