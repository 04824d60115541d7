import { ApiProperty } from '@nestjs/swagger';
import type { RunnerDetails } from '#libs/contracts';

const text = { type: 'string', nullable: true } as const;

export class RunnerTokenResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() token!: string;
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true }) token_expires_at!: null;
}

export class RunnerResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() description!: string;
  @ApiProperty(text) ip_address!: string | null;
  @ApiProperty() active!: boolean;
  @ApiProperty() paused!: boolean;
  @ApiProperty() is_shared!: boolean;
  @ApiProperty() runner_type!: string;
  @ApiProperty(text) name!: string | null;
  @ApiProperty() online!: boolean;
  @ApiProperty() status!: string;
}

export class RunnerDetailsResponse extends RunnerResponse {
  @ApiProperty({ type: [String] }) tag_list!: string[];
  @ApiProperty() run_untagged!: boolean;
  @ApiProperty() locked!: boolean;
  @ApiProperty({ type: 'integer', nullable: true, description: 'Seconds' }) maximum_timeout!: number | null;
  @ApiProperty() access_level!: string;
  @ApiProperty(text) maintenance_note!: string | null;
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true }) contacted_at!: string | null;
  @ApiProperty({ type: 'array', items: { type: 'object', additionalProperties: true } }) projects!: { id: number }[];
}

export function presentRunner(facts: RunnerDetails): RunnerResponse {
  return {
    id: facts.id,
    description: facts.description,
    ip_address: facts.ipAddress,
    active: !facts.paused,
    paused: facts.paused,
    is_shared: facts.runnerType === 'instance_type',
    runner_type: facts.runnerType,
    name: facts.name,
    online: facts.online,
    status: facts.status,
  };
}

export function presentRunnerDetails(facts: RunnerDetails): RunnerDetailsResponse {
  return {
    ...presentRunner(facts),
    tag_list: facts.tagList,
    run_untagged: facts.runUntagged,
    locked: facts.locked,
    maximum_timeout: facts.maximumTimeout,
    access_level: facts.accessLevel,
    maintenance_note: facts.maintenanceNote,
    contacted_at: facts.contactedAt,
    projects: facts.projectIds.map((id) => ({ id })),
  };
}
