import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { type DeclaredNeed, needMetadata, setAccess } from './needs.decorator.js';
import { RequestAccess } from './request-access.js';

/** Lets a request through to its handler when it meets the need that the handler declares. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly access: RequestAccess,
  ) {}

  /** @throws Refusal when the need is not met */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const declared = this.reflector.getAllAndOverride<DeclaredNeed>(needMetadata, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (declared.need === 'nothing') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    setAccess(request, await this.access.of(request, declared));
    return true;
  }
}
