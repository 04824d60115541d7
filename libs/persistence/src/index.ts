export * from './batches.js';
export * from './database.js';
export { DatabaseClock } from './database-clock.js';
export { installationId } from './installation.js';
export * from './outbox.js';
export * from './uuid.js';
export { plannedEachTime } from './preparing-driver.js';
