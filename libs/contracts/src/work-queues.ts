import { ArtifactsRemoved } from './artifact.js';
import { BridgeDue } from './bridge.js';
import { PipelineCreated, PipelineDeleted, PipelineSupersedes } from './pipeline.js';
import { ProjectDeleted } from './project-events.js';
import { ResourceGroupDue } from './resource-group.js';
import { PipelineTriggered, TriggerOutcome } from './trigger-request.js';
import { UserChanged } from './user-requests.js';

/** Which service keeps which events until it has handled them: `<service>.<type>`, as their queues and what is parked there are called. */
export const workQueues = [
  `pipeline-service.${PipelineTriggered.type}`,
  `pipeline-service.${PipelineSupersedes.type}`,
  `pipeline-service.${BridgeDue.type}`,
  `pipeline-service.${ResourceGroupDue.type}`,
  `gateway.${TriggerOutcome.type}`,
  `token-service.${PipelineCreated.type}`,
  `token-service.${PipelineDeleted.type}`,
  `token-service.${ProjectDeleted.type}`,
  `pipeline-service.${UserChanged.type}`,
  `gateway.${ArtifactsRemoved.type}`,
];
