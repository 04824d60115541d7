import 'reflect-metadata';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type ParametersClass, readParameters } from './read-parameters.js';
import { requestParameters } from './request-parameters.js';

const classes = Symbol('parameter classes');

const injectParameters = createParamDecorator((type: ParametersClass, context: ExecutionContext) =>
  readParameters(type, requestParameters(context.switchToHttp().getRequest<FastifyRequest>())),
);

/**
 * Gives a handler the parameters that a class declares, wherever they were sent (trigger-api.md §0.2). Bad ones are answered with 400
 * before the handler runs; unknown ones are ignored. The class also tells the OpenAPI document what may be sent.
 */
export function Parameters(type: ParametersClass): ParameterDecorator {
  return (target, method, index) => {
    if (method !== undefined) documentParameters(target, method, type);
    injectParameters(type)(target, method, index);
  };
}

/** Gives a handler everything that was sent, in the order received: query, body, path (trigger-api.md §1.5). */
export const AllParameters = createParamDecorator((_: unknown, context: ExecutionContext) =>
  requestParameters(context.switchToHttp().getRequest<FastifyRequest>()),
);

/** Notes for the OpenAPI document that a handler takes the parameters of a class. */
export function documentParameters(target: object, method: string | symbol, type: ParametersClass): void {
  const known = documentedParameters(target, method);
  Reflect.defineMetadata(classes, [...known, type], target, method);
}

export function documentedParameters(target: object, method: string | symbol): ParametersClass[] {
  return (Reflect.getMetadata(classes, target, method) as ParametersClass[] | undefined) ?? [];
}
