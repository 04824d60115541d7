import { IsArray, IsIn, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import { Request } from './request.js';
import { IsSecretHash } from './secret-hash.js';

/** How the bytes of an artifact are packed (runner-api.md §5.2). */
export const artifactFormats = ['zip', 'gzip', 'raw', 'zipzstd', 'tarzstd'] as const;
export type ArtifactFormat = (typeof artifactFormats)[number];

/** What a runner may upload: the archive of a job's paths, and its reports. Logs and archives' indexes are the server's own. */
export const artifactTypes = [
  'archive',
  'accessibility',
  'annotations',
  'api_fuzzing',
  'browser_performance',
  'cluster_image_scanning',
  'cobertura',
  'codequality',
  'container_scanning',
  'coverage_fuzzing',
  'cyclonedx',
  'dast',
  'dependency_scanning',
  'dotenv',
  'jacoco',
  'junit',
  'license_scanning',
  'load_performance',
  'lsif',
  'metrics',
  'performance',
  'repository_xray',
  'requirements',
  'requirements_v2',
  'sast',
  'secret_detection',
  'terraform',
] as const;
export type ArtifactType = (typeof artifactTypes)[number];

/** What is told about an artifact beside its job. */
export interface ArtifactFacts {
  type: ArtifactType;
  format: ArtifactFormat;
  filename: string;
  /** Bytes. */
  size: number;
}

/** An artifact whose bytes are there, under this key of the storage. */
export interface StoredArtifact extends ArtifactFacts {
  jobId: number;
  storageKey: string;
}

/**
 * Writes down an artifact of a job that runs, after its bytes have been stored. The same artifact again is no fault and is not kept a second time;
 * another one of its type is refused with 400, a job that does not run with 403.
 */
export class AddArtifact extends Request<{ kept: boolean }> {
  static readonly pattern = 'artifact.add';

  @IsInt() jobId!: number;
  @IsSecretHash() tokenHash!: string;
  @IsIn(artifactTypes) type!: ArtifactType;
  @IsIn(artifactFormats) format!: ArtifactFormat;
  @IsString() filename!: string;
  @IsInt() @Min(0) @Max(Number.MAX_SAFE_INTEGER) size!: number;
  @IsString() sha256!: string;
  @IsString() storageKey!: string;
  /** As the file says it: `1 week`, `never`; the project's usual time where it says nothing. */
  @IsOptional() @IsString() expireIn?: string | null;
  /** Of a dotenv report: variables for later jobs. */
  @IsOptional() @IsArray() variables?: { key: string; value: string }[];
}

/** Those of these keys under which no artifact is recorded. */
export class FindUnrecordedArtifacts extends Request<{ unrecorded: string[] }> {
  static readonly pattern = 'artifact.find-unrecorded';

  @IsArray() @IsString({ each: true }) storageKeys!: string[];
}

/** The archive of a job of this project; null when it has none, or none any more. */
export class FindArchive extends Request<StoredArtifact | null> {
  static readonly pattern = 'artifact.find-archive';

  @IsInt() projectId!: number;
  @IsInt() jobId!: number;
}

/** The archive that a job of this name left in the latest successful pipeline of a ref; null when there is none. */
export class FindLatestArchive extends Request<StoredArtifact | null> {
  static readonly pattern = 'artifact.find-latest-archive';

  @IsInt() projectId!: number;
  @IsString() ref!: string;
  @IsString() jobName!: string;
}

/** A job's artifacts stay until somebody deletes them. Refused with 404 when it has none. */
export class KeepArtifacts extends Request<null> {
  static readonly pattern = 'artifact.keep';

  @IsInt() projectId!: number;
  @IsInt() jobId!: number;
}

/** Takes a job's artifacts away, or with null those of all jobs of the project that have ended. Logs stay. */
export class DeleteArtifacts extends Request<null> {
  static readonly pattern = 'artifact.delete';

  @IsInt() projectId!: number;
  @IsOptional() @IsInt() jobId?: number | null;
}

/** `artifacts.removed.v1`: nothing speaks of these bytes any more, so whoever owns the storage deletes them. */
export class ArtifactsRemoved {
  static readonly type = 'artifacts.removed.v1';

  @IsArray() @IsString({ each: true }) storageKeys!: string[];
}
