import type { Schema } from '#libs/persistence';
import { Ledger1700000000000 } from './1700000000000-ledger.js';
import { Sessions1700000020000 } from './1700000020000-sessions.js';
import { DeliveryLog1700000030000 } from './1700000030000-delivery-log.js';
import { CallCounts1700000060000 } from './1700000060000-call-counts.js';

/** The gateway's part of the database, and the views by which others let it see what it needs to authenticate (architecture.md §1). */
export const gatewaySchema: Schema = {
  name: 'gateway',
  entities: [],
  migrations: [Ledger1700000000000, Sessions1700000020000, DeliveryLog1700000030000, CallCounts1700000060000],
  views: [
    'tokens.access_credentials',
    'tokens.trigger_credentials',
    'pipelines.project_addresses',
    'pipelines.job_credentials',
  ],
};
