export * from './environment.js';
export * from './log.js';
export * from './run-service.js';
