import { IsInt } from 'class-validator';

/** `project.deleted.v1`, from the pipeline service's outbox: nothing of the project can be reached any more. */
export class ProjectDeleted {
  static readonly type = 'project.deleted.v1';

  @IsInt() projectId!: number;
}
