export * from './environment.js';
export * from './health-port.js';
export * from './hourly.js';
export * from './in-time.js';
export * from './log.js';
export * from './metrics.js';
export * from './run-service.js';
