export * from './batches.js';
export * from './database.js';
export * from './outbox.js';
export * from './uuid.js';
