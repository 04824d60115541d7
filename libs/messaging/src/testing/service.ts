import { Controller, type DynamicModule, type INestMicroservice, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  type EventContext,
  type EventHandlerOptions,
  EventPattern,
  MessagePattern,
  type RequestContext,
  type RequestHandlerOptions,
} from '../handler.decorator.js';
import type { Message } from '../message.js';
import type { MessagingStrategy } from '../messaging-strategy.js';
import type { RecordedLog } from './recorded-log.js';

// oxlint-disable-next-line typescript/no-explicit-any -- each test knows what its messages hold
type Data = any;

export type OnEvent = (message: Message<Data>, context: EventContext) => unknown;
export type OnBatch = (messages: Message<Data>[], context: EventContext) => unknown;
export type OnRequest = (data: Data, context: RequestContext) => unknown;

export interface Handler {
  readonly pattern: string;
  readonly decorator: MethodDecorator;
  readonly run: (payload: Data, context: Data) => unknown;
}

export function onEvent(pattern: string, run: OnEvent, options?: EventHandlerOptions): Handler {
  return { pattern, decorator: EventPattern(pattern, options), run };
}

export function onBatch(pattern: string, batch: number, run: OnBatch, options?: EventHandlerOptions): Handler {
  return { pattern, decorator: EventPattern(pattern, { ...options, batch }), run };
}

export function onRequest(pattern: string, run: OnRequest, options?: RequestHandlerOptions): Handler {
  return { pattern, decorator: MessagePattern(pattern, options), run };
}

/** A Nest application with the given handlers, listening. */
export async function listen(
  strategy: MessagingStrategy,
  handlers: readonly Handler[],
  log: RecordedLog,
): Promise<INestMicroservice> {
  @Module({})
  class TestModule {}
  const module: DynamicModule = { module: TestModule, controllers: [controllerOf(handlers)] };
  const app = await NestFactory.createMicroservice(module, { strategy, logger: log, abortOnError: false });
  await app.listen();
  return app;
}

/** The class that somebody would write by hand: a controller with one decorated method for each handler. */
function controllerOf(handlers: readonly Handler[]): Type {
  class TestController {}
  handlers.forEach(({ decorator, run }, index) => {
    const name = `handler${index}`;
    const method = async (payload: unknown, context: unknown): Promise<unknown> => run(payload, context);
    Object.defineProperty(TestController.prototype, name, { value: method, writable: true, configurable: true });
    decorator(TestController.prototype, name, Object.getOwnPropertyDescriptor(TestController.prototype, name)!);
    Payload()(TestController.prototype, name, 0);
    Ctx()(TestController.prototype, name, 1);
  });
  Controller()(TestController);
  return TestController;
}
