import 'reflect-metadata';
import { type INestApplication, RequestMethod } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { type DeclaredNeed, needMetadata } from '../access/needs.decorator.js';
import { atRootMetadata } from './at-root.decorator.js';

/** A method of a controller that answers requests. */
export interface HandlerMethod {
  controller: Function;
  name: string;
  handler: Function;
  method: RequestMethod;
  /** As the decorators have them, without a prefix or slashes at the ends. */
  paths: string[];
  need: DeclaredNeed | undefined;
  atRoot: boolean;
}

/** All of them, in the order of the modules. Handlers of messages are none. */
export function handlerMethods(app: INestApplication): HandlerMethod[] {
  const scanner = new MetadataScanner();
  return app
    .get(DiscoveryService)
    .getControllers()
    .flatMap(({ metatype: controller }) => {
      if (typeof controller !== 'function') return [];
      const prototype = controller.prototype as Record<string, Function>;
      return scanner.getAllMethodNames(prototype).flatMap((name) => {
        const handler = prototype[name];
        // Nest's own metadata: a method with a path is a route.
        if (!handler || Reflect.getMetadata('path', handler) === undefined) return [];
        return [
          {
            controller,
            name,
            handler,
            method: Reflect.getMetadata('method', handler) as RequestMethod,
            paths: pathsOf(controller, handler),
            need: (Reflect.getMetadata(needMetadata, handler) ?? Reflect.getMetadata(needMetadata, controller)) as
              DeclaredNeed | undefined,
            atRoot: Reflect.getMetadata(atRootMetadata, controller) === true,
          },
        ];
      });
    });
}

function pathsOf(controller: Function, handler: Function): string[] {
  const [bases, ends] = [controller, handler].map((each) => [Reflect.getMetadata('path', each) as string].flat());
  return (bases ?? []).flatMap((base) =>
    (ends ?? []).map((end) =>
      [base, end]
        .flatMap((part) => part.split('/'))
        .filter((step) => step !== '')
        .join('/'),
    ),
  );
}

/**
 * Stops the gateway from starting with a door that nobody watches.
 * @throws Error that names the handlers without `@Needs`
 */
export function requireNeeds(app: INestApplication): void {
  const open = handlerMethods(app).filter(({ need }) => need === undefined);
  if (open.length > 0)
    throw new Error(
      `These handlers do not declare who may call them, put @Needs(…) on them: ${open.map(({ controller, name }) => `${controller.name}.${name}`).join(', ')}`,
    );
}
