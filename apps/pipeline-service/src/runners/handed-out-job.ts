import type { Job } from '#libs/ci-config';
import type { CommitFacts, PipelineSource } from '#libs/contracts';
import type { EarlierJob } from '../artifacts/job-dependencies.js';
import type { OrderedVariable } from '../pipelines/pipeline-order.js';
import type { Server, UserIdentity } from '../pipelines/predefined-variables.js';

/** A job as it was taken from the queue, with what its pipeline says. */
export interface HandedOutJob {
  id: number;
  name: string;
  stage: string;
  definition: Job;
  timeoutSeconds: number;
  /** Given by whoever started the manual job. */
  playedVariables: { key: string; value: string }[] | null;
  pipeline: {
    id: number;
    iid: number;
    source: PipelineSource;
    ref: string;
    tag: boolean;
    tagMessage: string | null;
    protected: boolean;
    sha: string;
    commit: CommitFacts;
    createdAt: string;
    name: string | null;
    triggerShortToken: string | null;
    variables: OrderedVariable[];
  };
  user: UserIdentity | null;
  /** Jobs whose artifacts and dotenv variables this one gets. */
  dependencies: Pick<EarlierJob, 'id' | 'name' | 'archive' | 'variables'>[];
  /** The keys that are computed from files, one for each of the job's caches; null for a cache that has another key or must be left out. */
  cacheKeys?: (string | null)[];
  /** Seconds that the job waited. */
  waited: number;
}

/** To whom, when and with which token it goes. */
export interface HandingOut {
  server: Server;
  runner: Pick<WaitingRunner, 'id' | 'description' | 'tagList' | 'maximumTimeout'>;
  /** Of the job; opens its repository, its log and its reports while it runs. */
  token: string;
  /** With the token in it. */
  repositoryUrl: string;
  now: Date;
}

/** A runner that asks for a job. */
export interface WaitingRunner {
  id: number;
  paused: boolean;
  runUntagged: boolean;
  tagList: string[];
  accessLevel: string;
  maximumTimeout: number | null;
  runnerType: 'instance_type' | 'project_type';
  description: string;
  /** Those of a project runner. */
  projectIds: number[];
}
