import { IsArray, IsBoolean, IsIn, IsInt, IsOptional, IsString, IsUUID } from 'class-validator';
import { Nested } from './nested.decorator.js';
import { PageRequest } from './page.js';
import { Request } from './request.js';
import { Actor, type UserFacts } from './user.js';
import { type Visibility, visibilities } from './words.js';

/** Whether a project has CI/CD: not at all, for its members alone, or for everybody who sees it. */
export const buildsAccessLevels = ['disabled', 'private', 'enabled'] as const;
export type BuildsAccessLevel = (typeof buildsAccessLevels)[number];

/** From which role on a caller may set pipeline variables (trigger-api.md §1.6, check 8). */
export const overrideRoles = ['no_one_allowed', 'developer', 'maintainer', 'owner'] as const;
export type OverrideRole = (typeof overrideRoles)[number];

/** `creating` until the creator is its Owner, `deleting` until its rows are gone; only an `active` one is shown. */
export type ProjectState = 'creating' | 'active' | 'deleting';

/** What is told about a namespace; `parentId` names the namespace it lies in. */
export interface NamespaceFacts {
  id: number;
  name: string;
  /** The last part of the full path. */
  path: string;
  fullPath: string;
  kind: 'user' | 'group';
  parentId: number | null;
}

/** Everything that is told about a project; times are ISO 8601 in UTC with milliseconds. */
export interface ProjectFacts {
  id: number;
  name: string;
  path: string;
  fullPath: string;
  description: string | null;
  namespace: NamespaceFacts;
  /** Without credentials. */
  importUrl: string | null;
  defaultBranch: string;
  ciConfigPath: string | null;
  visibility: Visibility;
  publicJobs: boolean;
  buildsAccessLevel: BuildsAccessLevel;
  pipelineVariablesRole: OverrideRole;
  archived: boolean;
  creatorId: number;
  /** The user whose namespace it is in; null in a group. */
  owner: UserFacts | null;
  /** Seconds. */
  buildTimeout: number;
  gitDepth: number;
  createdAt: string;
  updatedAt: string;
  lastActivityAt: string;
}

/** What can be said of a project when it is made and later; what is left out stays as it is, or gets its default. */
abstract class ProjectSettings<Reply> extends Request<Reply> {
  @IsOptional() @IsString() name?: string;
  @IsOptional() @IsString() path?: string;
  @IsOptional() @IsString() description?: string | null;
  /** Any git URL, a user and password in it; null or empty for none. */
  @IsOptional() @IsString() importUrl?: string | null;
  @IsOptional() @IsString() defaultBranch?: string;
  @IsOptional() @IsString() ciConfigPath?: string | null;
  @IsOptional() @IsIn(visibilities) visibility?: Visibility;
  @IsOptional() @IsBoolean() publicJobs?: boolean;
  @IsOptional() @IsIn(buildsAccessLevels) buildsAccessLevel?: BuildsAccessLevel;
  @IsOptional() @IsIn(overrideRoles) pipelineVariablesRole?: OverrideRole;
  /** Seconds. */
  @IsOptional() @IsInt() buildTimeout?: number;
  @IsOptional() @IsInt() gitDepth?: number;
}

/**
 * Makes a project and makes its creator an Owner of it. Of `name` and `path` one is there. Without a namespace it comes into the
 * creator's own. The same `requestId` makes one project.
 */
export class CreateProject extends ProjectSettings<ProjectFacts> {
  static readonly pattern = 'project.create';

  @IsUUID() requestId!: string;
  @Nested(() => Actor) actor!: Actor;
  @IsOptional() @IsInt() namespaceId?: number | null;
  /** Full path of a namespace; one that does not exist is made. */
  @IsOptional() @IsString() namespacePath?: string | null;
}

/** One project; refused with 404 unless it is active. */
export class ShowProject extends Request<ProjectFacts> {
  static readonly pattern = 'project.show';

  @IsInt() projectId!: number;
}

export const projectOrders = ['id', 'name', 'path', 'created_at', 'updated_at', 'last_activity_at'] as const;
export type ProjectOrder = (typeof projectOrders)[number];

/** Projects that somebody may see: the public ones, to those signed in the internal ones, and those they are a member of. */
export class ListProjects extends PageRequest<ProjectFacts> {
  static readonly pattern = 'project.list';

  /** Null for somebody who is not signed in. */
  @IsOptional() @Nested(() => Actor) actor?: Actor | null;
  /** The projects of which the actor is a member. */
  @IsArray() @IsInt({ each: true }) memberOf!: number[];
  /** Only these. */
  @IsOptional() @IsArray() @IsInt({ each: true }) only?: number[] | null;
  /** Part of the name or path, in any case; part of the full path when it has a slash. */
  @IsOptional() @IsString() search?: string | null;
  @IsOptional() @IsIn(visibilities) visibility?: Visibility | null;
  @IsOptional() @IsBoolean() archived?: boolean | null;
  @IsIn(projectOrders) orderBy!: ProjectOrder;
  @IsIn(['asc', 'desc']) sort!: 'asc' | 'desc';
}

/** Changes a project. Its former path goes on leading to it. */
export class EditProject extends ProjectSettings<ProjectFacts> {
  static readonly pattern = 'project.edit';

  @IsInt() projectId!: number;
  @Nested(() => Actor) actor!: Actor;
  @IsOptional() @IsBoolean() archived?: boolean;
}

/** Once this is answered the project cannot be reached any more; what it had is removed soon. */
export class DeleteProject extends Request<null> {
  static readonly pattern = 'project.delete';

  @IsInt() projectId!: number;
}

/** Namespaces that somebody may create projects in, by path; administrators see all. */
export class ListNamespaces extends PageRequest<NamespaceFacts> {
  static readonly pattern = 'namespace.list';

  @Nested(() => Actor) actor!: Actor;
  /** Part of the path. */
  @IsOptional() @IsString() search?: string | null;
}
