export {
  Bus,
  PublishFailed,
  type PublishFailure,
  type PublishOptions,
  type RequestOptions,
  RequestTimeout,
} from './bus.js';
export {
  type EventContext,
  type EventHandlerOptions,
  EventPattern,
  MessagePattern,
  type RequestContext,
  type RequestHandlerOptions,
} from './handler.decorator.js';
export { BatchFailures, RetryLater, Unprocessable } from './handler-failure.js';
export type { Message, Validate } from './message.js';
export type { ParkedMessage, ParkedMessages, ParkedStore } from './parked-messages.js';
export { InProcessBus, type InProcessBusOptions } from './in-process-bus.js';
export { InProcessStrategy } from './in-process-strategy.js';
export { MessagingStrategy, type StrategyOptions } from './messaging-strategy.js';
export { RabbitBus, type RabbitBusOptions } from './rabbit-bus.js';
export { RabbitStrategy } from './rabbit-strategy.js';
export { type BrokerState, inspectBroker, type QueueState } from './inspect-broker.js';
export { isServerAway, isUnanswered } from './server-away.js';
