import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Sessions } from '../sessions/sessions.js';
import { AccessGuard } from './access.guard.js';
import { AccessTokens } from './access-tokens.js';
import { JobTokens } from './job-tokens.js';
import { ProjectAddresses } from './project-addresses.js';
import { RequestAccess } from './request-access.js';

/** Who asks, and whether they may. Needs a global provider of TypeORM's `DataSource`. */
@Global()
@Module({
  providers: [
    AccessTokens,
    JobTokens,
    ProjectAddresses,
    Sessions,
    RequestAccess,
    { provide: APP_GUARD, useClass: AccessGuard },
  ],
  exports: [AccessTokens, JobTokens, ProjectAddresses, Sessions, RequestAccess],
})
export class AccessModule {}
