import { ApiProperty } from '@nestjs/swagger';
import { type PipelineVariableFacts, variableTypes } from '#libs/contracts';

/** A variable as it was given to a pipeline (trigger-api.md §4.2). */
export class PipelineVariableResponse {
  @ApiProperty({ enum: variableTypes }) variable_type!: string;
  @ApiProperty() key!: string;
  @ApiProperty() value!: string;
  @ApiProperty({ description: 'Whether dollar signs in the value stand for themselves' }) raw!: boolean;
}

export function presentPipelineVariable({
  type,
  key,
  value,
  raw = false,
}: PipelineVariableFacts): PipelineVariableResponse {
  return { variable_type: type, key, value, raw };
}

/** What is known of a pipeline's tests: nothing, since reports of tests are not read (trigger-api.md §4.1). */
export class TestReportResponse {
  @ApiProperty({ description: 'Seconds' }) total_time!: number;
  @ApiProperty({ type: 'integer' }) total_count!: number;
  @ApiProperty({ type: 'integer' }) success_count!: number;
  @ApiProperty({ type: 'integer' }) failed_count!: number;
  @ApiProperty({ type: 'integer' }) skipped_count!: number;
  @ApiProperty({ type: 'integer' }) error_count!: number;
  @ApiProperty({ type: 'array', items: { type: 'object' } }) test_suites!: object[];
}

export const emptyTestReport: TestReportResponse = {
  total_time: 0,
  total_count: 0,
  success_count: 0,
  failed_count: 0,
  skipped_count: 0,
  error_count: 0,
  test_suites: [],
};
