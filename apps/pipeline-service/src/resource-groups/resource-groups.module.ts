import { Module } from '@nestjs/common';
import { ResourceGroupsHandler } from './resource-groups.handler.js';

/** Jobs that must not run beside each other. */
@Module({ controllers: [ResourceGroupsHandler] })
export class ResourceGroupsModule {}
