import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

const texts = { type: 'array', items: { type: 'string' } } as const;
const things = { type: 'array', items: { type: 'object', additionalProperties: true } } as const;
const thing = { type: 'object', additionalProperties: true } as const;

class JobInfo {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() name!: string;
  @ApiProperty() stage!: string;
  @ApiProperty({ type: 'integer' }) pipeline_id!: number;
  @ApiProperty({ type: 'integer' }) project_id!: number;
  @ApiProperty() project_name!: string;
  @ApiProperty() project_full_path!: string;
  @ApiProperty({ type: 'integer' }) namespace_id!: number;
  @ApiProperty({ type: 'integer' }) root_namespace_id!: number;
  @ApiProperty({ type: 'integer', required: false }) user_id?: number;
  @ApiProperty({ description: 'Seconds' }) time_in_queue_seconds!: number;
  @ApiProperty() project_jobs_running_on_instance_runners_count!: string;
}

class GitInfo {
  @ApiProperty({ description: 'With the job’s token in it' }) repo_url!: string;
  @ApiProperty() ref!: string;
  @ApiProperty() sha!: string;
  @ApiProperty() before_sha!: string;
  @ApiProperty({ enum: ['branch', 'tag'] }) ref_type!: string;
  @ApiProperty(texts) refspecs!: string[];
  @ApiProperty({ type: 'integer', description: 'Commits to fetch; 0 is all of them' }) depth!: number;
  @ApiProperty({ enum: ['sha1', 'sha256'] }) repo_object_format!: string;
  @ApiProperty() protected!: boolean;
}

class RunnerInfo {
  @ApiProperty({ type: 'integer', description: 'Seconds' }) timeout!: number;
}

class PayloadVariable {
  @ApiProperty() key!: string;
  @ApiProperty() value!: string;
  @ApiProperty() public!: boolean;
  @ApiProperty() masked!: boolean;
  @ApiProperty({ required: false }) file?: boolean;
  @ApiProperty({ required: false }) raw?: boolean;
}

class PayloadStep {
  @ApiProperty({ enum: ['script', 'after_script'] }) name!: string;
  @ApiProperty(texts) script!: string[];
  @ApiProperty({ type: 'integer', description: 'Seconds' }) timeout!: number;
  @ApiProperty({ enum: ['on_success', 'on_failure', 'always'] }) when!: string;
  @ApiProperty() allow_failure!: boolean;
}

/** A job as a runner gets it (runner-api.md §2.4); the pipeline service makes it. What is optional is left out rather than null. */
export class JobPayloadResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty({ description: 'Of the job; good while it runs' }) token!: string;
  @ApiProperty() allow_git_fetch!: boolean;
  @ApiProperty() job_info!: JobInfo;
  @ApiProperty() git_info!: GitInfo;
  @ApiProperty() runner_info!: RunnerInfo;
  @ApiProperty(things) inputs!: object[];
  @ApiProperty({ type: [PayloadVariable] }) variables!: PayloadVariable[];
  @ApiProperty({ type: [PayloadStep] }) steps!: PayloadStep[];
  @ApiPropertyOptional(things) hooks?: object[];
  @ApiPropertyOptional(thing) image?: object;
  @ApiProperty(things) services!: object[];
  @ApiProperty(things) cache!: object[];
  @ApiPropertyOptional(things) artifacts?: object[];
  @ApiProperty(things) credentials!: object[];
  @ApiProperty(things) dependencies!: object[];
  @ApiProperty(thing) features!: object;
}
