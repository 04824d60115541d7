import { ApiProperty } from '@nestjs/swagger';
import { type RunnerManagerFacts, runnerStatuses } from '#libs/contracts';

const text = { type: 'string', nullable: true } as const;
const time = { type: 'string', format: 'date-time' } as const;

/** One of the machines that use a runner's token (runner-api.md §1.8). */
export class RunnerManagerResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty({ description: 'By which the machine tells itself from others' }) system_id!: string;
  @ApiProperty(text) version!: string | null;
  @ApiProperty(text) revision!: string | null;
  @ApiProperty(text) platform!: string | null;
  @ApiProperty(text) architecture!: string | null;
  @ApiProperty(time) created_at!: string;
  @ApiProperty(time) contacted_at!: string;
  @ApiProperty(text) ip_address!: string | null;
  @ApiProperty({ enum: runnerStatuses }) status!: string;
  @ApiProperty({ enum: ['active', 'idle'] }) job_execution_status!: string;
}

export function presentRunnerManager(facts: RunnerManagerFacts): RunnerManagerResponse {
  return {
    id: facts.id,
    system_id: facts.systemId,
    version: facts.version,
    revision: facts.revision,
    platform: facts.platform,
    architecture: facts.architecture,
    created_at: facts.createdAt,
    contacted_at: facts.contactedAt,
    ip_address: facts.ipAddress,
    status: facts.status,
    job_execution_status: facts.busy ? 'active' : 'idle',
  };
}
