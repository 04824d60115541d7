import { IsArray, IsBoolean, IsIn, IsInt, IsOptional, IsString } from 'class-validator';
import { PageRequest } from './page.js';
import { Request } from './request.js';
import { type VariableType, variableTypes } from './words.js';

/** What is told about a project variable. */
export interface VariableFacts {
  key: string;
  /** Null for a hidden one. */
  value: string | null;
  variableType: VariableType;
  protected: boolean;
  masked: boolean;
  hidden: boolean;
  raw: boolean;
  environmentScope: string;
  description: string | null;
}

/** A project's variables, in the order in which they were made. */
export class ListVariables extends PageRequest<VariableFacts> {
  static readonly pattern = 'variable.list';

  @IsInt() projectId!: number;
}

/** Those of the keys under which a project has a variable that is masked, in whatever scope. */
export class FindMaskedKeys extends Request<string[]> {
  static readonly pattern = 'variable.find-masked-keys';

  @IsInt() projectId!: number;
  @IsArray() @IsString({ each: true }) keys!: string[];
}

/** Names one variable. Where several have the key, the scope decides; without it they are refused with 409. */
abstract class VariableRequest<Reply> extends Request<Reply> {
  @IsInt() projectId!: number;
  @IsString() key!: string;
  @IsOptional() @IsString() filterScope?: string | null;
}

/** One variable; refused with 404 when there is none. */
export class ShowVariable extends VariableRequest<VariableFacts> {
  static readonly pattern = 'variable.show';
}

/** Adds a variable to a project. */
export class CreateVariable extends Request<VariableFacts> {
  static readonly pattern = 'variable.create';

  @IsInt() projectId!: number;
  @IsString() key!: string;
  @IsString() value!: string;
  @IsIn(variableTypes) variableType!: VariableType;
  @IsBoolean() protected!: boolean;
  @IsBoolean() masked!: boolean;
  /** Its value is never shown again; a hidden variable is masked. */
  @IsBoolean() hidden!: boolean;
  @IsBoolean() raw!: boolean;
  @IsString() environmentScope!: string;
  @IsOptional() @IsString() description?: string | null;
}

/** Changes what is given. */
export class EditVariable extends VariableRequest<VariableFacts> {
  static readonly pattern = 'variable.edit';

  @IsOptional() @IsString() value?: string;
  @IsOptional() @IsIn(variableTypes) variableType?: VariableType;
  @IsOptional() @IsBoolean() protected?: boolean;
  @IsOptional() @IsBoolean() masked?: boolean;
  @IsOptional() @IsBoolean() raw?: boolean;
  @IsOptional() @IsString() environmentScope?: string;
  @IsOptional() @IsString() description?: string | null;
}

/** Takes a variable away. */
export class DeleteVariable extends VariableRequest<null> {
  static readonly pattern = 'variable.delete';
}
