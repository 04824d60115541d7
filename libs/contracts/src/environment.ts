import { IsArray, IsIn, IsInt, IsOptional, IsString } from 'class-validator';
import { PageRequest } from './page.js';
import { Request } from './request.js';

export const environmentStates = ['available', 'stopping', 'stopped'] as const;
export type EnvironmentState = (typeof environmentStates)[number];

/** What is told about an environment: where jobs deploy to. */
export interface EnvironmentFacts {
  id: number;
  name: string;
  /** For host names: at most 24 letters, digits and dashes. */
  slug: string;
  /** Where it can be looked at, as the last deployment says. */
  externalUrl: string | null;
  state: EnvironmentState;
  tier: string;
  createdAt: string;
  updatedAt: string;
}

/** A project's environments, by name. */
export class ListEnvironments extends PageRequest<EnvironmentFacts> {
  static readonly pattern = 'environment.list';

  @IsInt() projectId!: number;
  /** The whole name. */
  @IsOptional() @IsString() name?: string | null;
  /** Part of the name. */
  @IsOptional() @IsString() search?: string | null;
  @IsOptional() @IsArray() @IsIn(environmentStates, { each: true }) states?: EnvironmentState[] | null;
}

/** One environment of a project; refused with 404 when it has none of this id. */
export class ShowEnvironment extends Request<EnvironmentFacts> {
  static readonly pattern = 'environment.show';

  @IsInt() projectId!: number;
  @IsInt() environmentId!: number;
}
