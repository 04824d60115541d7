import { RouteConfig } from '@nestjs/platform-fastify';
import { FASTIFY_ROUTE_CONFIG_METADATA } from '@nestjs/platform-fastify/constants.js';
import type { FastifyRequest } from 'fastify';
import type { BodySettings } from './request-body.decorator.js';

/** What the server's hooks know of a route. */
export interface RouteSettings {
  body?: BodySettings;
  /** Statuses by which a token that is no good is refused. */
  tokenRefusals?: readonly number[];
}

/** Adds settings to a route; Nest's own decorator would replace those of others. */
export const RouteSetting =
  (settings: RouteSettings): MethodDecorator =>
  (target, name, descriptor) => {
    const others = Reflect.getMetadata(FASTIFY_ROUTE_CONFIG_METADATA, descriptor.value as object) as RouteSettings;
    return RouteConfig({ ...others, ...settings })(target, name, descriptor);
  };

export function routeSettings(request: FastifyRequest): RouteSettings {
  return (request.routeOptions.config as RouteSettings | undefined) ?? {};
}
