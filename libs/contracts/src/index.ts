export * from './job.js';
export * from './messages.js';
export * from './pipeline.js';
export * from './refusal.js';
export * from './request.js';
export * from './trigger-request.js';
export * from './user.js';
export * from './words.js';
