import { type Schema } from '#libs/persistence';
import { Projects1700000001000 } from './1700000001000-projects.js';
import { Pipelines1700000002000 } from './1700000002000-pipelines.js';
import { Runners1700000004000 } from './1700000004000-runners.js';
import { GatewayReports1700000005000 } from './1700000005000-gateway-reports.js';
import { Artifacts1700000006000 } from './1700000006000-artifacts.js';
import { OutcomesByAge1700000007000 } from './1700000007000-outcomes-by-age.js';
import { DebugTraces1700000010000 } from './1700000010000-debug-traces.js';
import { RunnerManagers1700000011000 } from './1700000011000-runner-managers.js';
import { RunnerRegistration1700000012000 } from './1700000012000-runner-registration.js';
import { QueueByProject1700000013000 } from './1700000013000-queue-by-project.js';
import { Bridges1700000008000 } from './1700000008000-bridges.js';
import { ResourceGroups1700000009000 } from './1700000009000-resource-groups.js';
import { AutoCancel1700000018000 } from './1700000018000-auto-cancel.js';
import { Environments1700000019000 } from './1700000019000-environments.js';
import { ArtifactKeys1700000007001 } from './1700000007001-artifact-keys.js';

/** The pipeline service's part of the database. */
export const pipelinesSchema: Schema = {
  name: 'pipelines',
  entities: [],
  migrations: [
    Projects1700000001000,
    Pipelines1700000002000,
    Runners1700000004000,
    GatewayReports1700000005000,
    Artifacts1700000006000,
    OutcomesByAge1700000007000,
    DebugTraces1700000010000,
    RunnerManagers1700000011000,
    RunnerRegistration1700000012000,
    QueueByProject1700000013000,
    Bridges1700000008000,
    ResourceGroups1700000009000,
    AutoCancel1700000018000,
    Environments1700000019000,
    ArtifactKeys1700000007001,
  ],
};
