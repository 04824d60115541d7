// class-transformer's @Type reads the metadata that this defines, whoever imports these classes first.
import 'reflect-metadata';

export * from './access-token.js';
export * from './api-version.js';
export * from './artifact.js';
export * from './job-requests.js';
export * from './job.js';
export * from './lint.js';
export * from './member.js';
export * from './messages.js';
export * from './page.js';
export * from './pipeline-requests.js';
export * from './pipeline.js';
export * from './project-events.js';
export * from './project.js';
export * from './protected-ref.js';
export * from './refusal.js';
export * from './refusals.js';
export * from './request.js';
export * from './runner-requests.js';
export * from './settings.js';
export * from './trigger-request.js';
export * from './trigger.js';
export * from './user-requests.js';
export * from './user.js';
export * from './variable.js';
export * from './words.js';
export * from './work-queues.js';
