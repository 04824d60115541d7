import { IsIn, IsInt, IsString } from 'class-validator';
import type { JobFacts } from './job.js';
import { PageRequest } from './page.js';
import { Request } from './request.js';

/**
 * In which order the jobs of a group get their turn: as they come to be ready, or by the age of their pipelines, with or without waiting for jobs
 * that are not ready yet.
 */
export const processModes = ['unordered', 'oldest_first', 'newest_first', 'newest_ready_first'] as const;
export type ProcessMode = (typeof processModes)[number];

/** What is told about a resource group: of its jobs one at a time runs. */
export interface ResourceGroupFacts {
  id: number;
  key: string;
  processMode: ProcessMode;
  createdAt: string;
  updatedAt: string;
}

/**
 * `resource-group.due.v1`: something changed that may give the next job of a group its turn. Whoever hears it looks at what is stored, so hearing
 * it twice, or late, is no fault.
 */
export class ResourceGroupDue {
  static readonly type = 'resource-group.due.v1';

  @IsInt() projectId!: number;
  @IsString() key!: string;
}

/** A project's resource groups, the newest first. */
export class ListResourceGroups extends PageRequest<ResourceGroupFacts> {
  static readonly pattern = 'resource-group.list';

  @IsInt() projectId!: number;
}

/** The group of this key; refused with 404 when there is none. */
export class ShowResourceGroup extends Request<ResourceGroupFacts> {
  static readonly pattern = 'resource-group.show';

  @IsInt() projectId!: number;
  @IsString() key!: string;
}

/** Changes the order in which jobs get their turn; it counts from the next turn on. */
export class EditResourceGroup extends Request<ResourceGroupFacts> {
  static readonly pattern = 'resource-group.edit';

  @IsInt() projectId!: number;
  @IsString() key!: string;
  @IsIn(processModes) processMode!: ProcessMode;
}

/** The jobs of a group that wait for their turn, or will, in the order in which they get it. */
export class ListUpcomingJobs extends PageRequest<JobFacts> {
  static readonly pattern = 'resource-group.list-upcoming-jobs';

  @IsInt() projectId!: number;
  @IsString() key!: string;
}
