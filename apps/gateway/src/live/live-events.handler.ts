import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { JobStatusChanged, PipelineCreated, PipelineStatusChanged } from '#libs/contracts';
import { EventPattern, type Message } from '#libs/messaging';
import { LiveStreams } from './live-streams.js';

/** Every replica hears everything. Under load they come together, so that a page is woken ten times a second and not a thousand. */
const grouped = { fanOut: true, batch: 500, restMs: 100 };
/** Of what has just been created. */
const firstVersion = 1;

/** Tells the pages that are open what has changed. */
@Controller()
export class LiveEventsHandler {
  constructor(private readonly streams: LiveStreams) {}

  @EventPattern(PipelineCreated.type, grouped)
  created(@Payload() messages: Message<PipelineCreated>[]): void {
    this.streams.tell(
      messages.map(({ data: { pipelineId, projectId, status = 'created' } }) => ({
        kind: 'pipeline',
        id: pipelineId,
        projectId,
        status,
        version: firstVersion,
      })),
    );
  }

  @EventPattern(PipelineStatusChanged.type, grouped)
  pipelinesChanged(@Payload() messages: Message<PipelineStatusChanged>[]): void {
    this.streams.tell(
      messages.map(({ data: { pipelineId, projectId, status, version } }) => ({
        kind: 'pipeline',
        id: pipelineId,
        projectId,
        status,
        version,
      })),
    );
  }

  @EventPattern(JobStatusChanged.type, grouped)
  jobsChanged(@Payload() messages: Message<JobStatusChanged>[]): void {
    this.streams.tell(
      messages.map(({ data: { jobId, pipelineId, projectId, status, version } }) => ({
        kind: 'job',
        id: jobId,
        pipelineId,
        projectId,
        status,
        version,
      })),
    );
  }
}
