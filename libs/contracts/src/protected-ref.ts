import { IsBoolean, IsIn, IsInt, IsOptional, IsString } from 'class-validator';
import { PageRequest } from './page.js';
import { Request } from './request.js';

/** From which level on somebody may change a protected ref; 0 is nobody, 60 administrators. */
export const protectionLevels = [0, 30, 40, 60] as const;
export type ProtectionLevel = (typeof protectionLevels)[number];

/** What is told about a protected branch, or about branches whose names fit one with `*`. */
export interface ProtectedBranchFacts {
  id: number;
  name: string;
  pushAccessLevel: ProtectionLevel;
  mergeAccessLevel: ProtectionLevel;
  allowForcePush: boolean;
}

/** What is told about a protected tag, or about tags whose names fit one with `*`. */
export interface ProtectedTagFacts {
  id: number;
  name: string;
  createAccessLevel: ProtectionLevel;
}

/** A project's protected branches, by name. */
export class ListProtectedBranches extends PageRequest<ProtectedBranchFacts> {
  static readonly pattern = 'protected-branch.list';

  @IsInt() projectId!: number;
  /** Part of the name. */
  @IsOptional() @IsString() search?: string | null;
}

/** The protection of this very name; refused with 404 when there is none. */
export class ShowProtectedBranch extends Request<ProtectedBranchFacts> {
  static readonly pattern = 'protected-branch.show';

  @IsInt() projectId!: number;
  @IsString() name!: string;
}

/** Protects a branch, or all that fit; refused with 409 when the name is protected already. */
export class ProtectBranch extends Request<ProtectedBranchFacts> {
  static readonly pattern = 'protected-branch.protect';

  @IsInt() projectId!: number;
  @IsString() name!: string;
  @IsIn(protectionLevels) pushAccessLevel!: ProtectionLevel;
  @IsIn(protectionLevels) mergeAccessLevel!: ProtectionLevel;
  @IsBoolean() allowForcePush!: boolean;
}

/** Takes the protection of this very name away. */
export class UnprotectBranch extends Request<null> {
  static readonly pattern = 'protected-branch.unprotect';

  @IsInt() projectId!: number;
  @IsString() name!: string;
}

/** A project's protected tags, by name. */
export class ListProtectedTags extends PageRequest<ProtectedTagFacts> {
  static readonly pattern = 'protected-tag.list';

  @IsInt() projectId!: number;
}

/** The protection of this very name; refused with 404 when there is none. */
export class ShowProtectedTag extends Request<ProtectedTagFacts> {
  static readonly pattern = 'protected-tag.show';

  @IsInt() projectId!: number;
  @IsString() name!: string;
}

/** Protects a tag, or all that fit; refused with 409 when the name is protected already. */
export class ProtectTag extends Request<ProtectedTagFacts> {
  static readonly pattern = 'protected-tag.protect';

  @IsInt() projectId!: number;
  @IsString() name!: string;
  @IsIn(protectionLevels) createAccessLevel!: ProtectionLevel;
}

/** Takes the protection of this very name away. */
export class UnprotectTag extends Request<null> {
  static readonly pattern = 'protected-tag.unprotect';

  @IsInt() projectId!: number;
  @IsString() name!: string;
}
