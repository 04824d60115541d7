import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { JobQueued, JobStatusChanged } from './job.js';
import { PipelineCreated, PipelineDeleted, PipelineStatusChanged } from './pipeline.js';
import { PipelineTriggered, TriggerOutcome } from './trigger-request.js';

/** Every message that crosses a process boundary: routing key or request pattern, and the class that says what is in it. */
const catalogue = new Map<string, new () => object>(
  [
    PipelineTriggered,
    TriggerOutcome,
    PipelineCreated,
    PipelineDeleted,
    PipelineStatusChanged,
    JobQueued,
    JobStatusChanged,
  ].map((type) => [type.type, type]),
);

/**
 * Checks a message's data against its class.
 * @returns what is wrong, in words; empty when nothing is
 */
export function messageProblems(pattern: string, data: unknown): string[] {
  const type = catalogue.get(pattern);
  if (!type) return [`there is no message named ${pattern}`];
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    return [`${pattern}: the data is not an object`];
  return validateSync(plainToInstance(type, data), { forbidUnknownValues: false }).map(
    (error) => `${pattern}: ${error.toString().trim()}`,
  );
}
