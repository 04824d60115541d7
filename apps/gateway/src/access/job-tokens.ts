import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { hashSecret } from './secrets.js';
import { SharedRead } from './shared-read.js';

/** A row of `pipelines.job_credentials`; one that is `orphaned`, since its project was deleted, has no numbers. */
export interface JobCredential {
  hash: string;
  job_id: number;
  project_id: number;
  pipeline_id: number;
  user_id: number;
  status: string;
  erased: boolean;
  expires_at: Date | null;
}

/** Reads the pipeline service's published view of job tokens; see architecture.md §1. Never cached. */
@Injectable()
export class JobTokens {
  readonly #database: DataSource;
  readonly #byHash = new SharedRead<string, JobCredential>((hashes) => this.#read(hashes));

  constructor(database: DataSource) {
    this.#database = database;
  }

  /** @returns what is stored under a job token, whether or not the job still runs; undefined when it is unknown */
  find(token: string): Promise<JobCredential | undefined> {
    return this.#byHash.get(hashSecret(token).toString('hex'));
  }

  async #read(hashes: string[]): Promise<ReadonlyMap<string, JobCredential>> {
    const rows: JobCredential[] = await this.#database.query(
      `select encode(token_hash, 'hex') as hash, job_id, project_id, pipeline_id, user_id, status, erased, expires_at
         from pipelines.job_credentials where token_hash = any($1::bytea[])`,
      [hashes.map((hash) => Buffer.from(hash, 'hex'))],
    );
    return new Map(rows.map((row) => [row.hash, row]));
  }
}

/** Whether its job was handed out to a runner that has not said a word yet. */
export function isHandedOut({ status, erased }: JobCredential): boolean {
  return status === 'pending' && !erased;
}

/** Whether a job token counts: while its job runs, which includes the time it takes to stop after a cancel (trigger-api.md §1.7). */
export function isLive(job: JobCredential, now: Date): boolean {
  return (
    (job.status === 'running' || job.status === 'canceling') && !job.erased && (!job.expires_at || job.expires_at > now)
  );
}
