import { randomUUID } from 'node:crypto';
import { Controller, Delete, Get, Post } from '@nestjs/common';
import {
  type AccountFacts,
  CreateUser,
  DeleteUser,
  forbidden,
  ListUsers,
  SetUserState,
  ShowUser,
} from '#libs/contracts';
import { CurrentViewer, Needs } from '../access/needs.decorator.js';
import { signedIn, type UserViewer, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { BooleanParameter, IntegerParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import {
  AccountResponse,
  LongUserResponse,
  presentAccount,
  presentLongUser,
  presentUser,
  ShortUserResponse,
} from './user.response.js';

class NewUser {
  @StringParameter({ required: true }) email!: string;
  @StringParameter({ required: true }) name!: string;
  @StringParameter({ required: true }) username!: string;
  @BooleanParameter() admin?: boolean | null;
}

class ThisUser {
  @IntegerParameter({ required: true }) id!: number;
}

class UserFilter {
  @StringParameter({ description: 'The whole username' }) username?: string | null;
  @StringParameter({ description: 'Part of the name or username, or the whole address' }) search?: string | null;
  @BooleanParameter() active?: boolean | null;
  @BooleanParameter() blocked?: boolean | null;
  @BooleanParameter({ description: 'For administrators' }) admins?: boolean | null;
}

/** GitLab's users, and the one who asks (trigger-api.md §5.1). There are no passwords: users come with access tokens. */
@Controller()
export class UsersController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  @Get('user')
  @Needs('user', { scopes: ['read_user'] })
  @Endpoint({ summary: 'Show the user of the credentials', returns: AccountResponse, errors: [401, 403] })
  current(@CurrentViewer() viewer: Viewer): AccountResponse {
    const user = signedIn(viewer);
    return presentAccount(accountOf(user), this.config.externalUrl, user.admin);
  }

  @Get('users')
  @Needs('user', { scopes: ['read_user'] })
  @Endpoint({ summary: 'List users', returns: [ShortUserResponse], orReturns: AccountResponse, errors: [401, 403] })
  async list(
    @CurrentViewer() viewer: Viewer,
    @Parameters(UserFilter) filter: UserFilter,
    @RequestedPage() page: Page,
  ): Promise<ShortUserResponse[]> {
    const { admin } = signedIn(viewer);
    const { items, total } = await this.services.ask(ListUsers, {
      username: filter.username,
      search: filter.search,
      state: filter.blocked ? 'blocked' : filter.active ? 'active' : null,
      admins: admin && filter.admins,
      page: page.page,
      perPage: page.perPage,
    });
    const { externalUrl } = this.config;
    return page.answer(
      items.map((user) => (admin ? presentAccount(user, externalUrl, true) : presentUser(user, externalUrl))),
      { total },
    );
  }

  @Get('users/:id')
  @Needs('user', { scopes: ['read_user'] })
  @Endpoint({
    summary: 'Show a user',
    description: 'Administrators see the account too.',
    returns: LongUserResponse,
    orReturns: AccountResponse,
    errors: [401, 403, 404],
  })
  async show(
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisUser) { id: userId }: ThisUser,
  ): Promise<LongUserResponse> {
    const user = await this.services.ask(ShowUser, { userId });
    const { externalUrl } = this.config;
    return signedIn(viewer).admin ? presentAccount(user, externalUrl, true) : presentLongUser(user, externalUrl);
  }

  @Post('users')
  @Needs('administrator')
  @Endpoint({ summary: 'Create a user', success: 201, returns: AccountResponse, errors: [401, 403, 409] })
  async create(@Parameters(NewUser) { email, name, username, admin }: NewUser): Promise<AccountResponse> {
    const fields = { requestId: randomUUID(), email, name, username, admin: admin ?? false };
    return presentAccount(await this.services.ask(CreateUser, fields), this.config.externalUrl, true);
  }

  @Post('users/:id/block')
  @Needs('administrator')
  @Endpoint({ summary: 'Block a user', success: 201, returns: Boolean, errors: [401, 403, 404] })
  async block(@CurrentViewer() viewer: Viewer, @Parameters(ThisUser) { id: userId }: ThisUser): Promise<true> {
    if (signedIn(viewer).id === userId) throw forbidden('The API initiating user cannot be blocked by the API');
    await this.services.ask(SetUserState, { userId, state: 'blocked' });
    return true;
  }

  @Post('users/:id/unblock')
  @Needs('administrator')
  @Endpoint({ summary: 'Unblock a user', success: 201, returns: Boolean, errors: [401, 403, 404] })
  async unblock(@Parameters(ThisUser) { id: userId }: ThisUser): Promise<true> {
    await this.services.ask(SetUserState, { userId, state: 'active' });
    return true;
  }

  @Delete('users/:id')
  @Needs('administrator')
  @Endpoint({
    summary: 'Delete a user',
    description: 'Access tokens, memberships and trigger tokens of the user go with it.',
    success: 204,
    errors: [401, 403, 404],
  })
  async delete(@Parameters(ThisUser) { id: userId }: ThisUser): Promise<void> {
    await this.services.ask(DeleteUser, { userId });
  }
}

/** A blocked user gets no further than the credentials. */
function accountOf({ id, username, name, email, admin, createdAt }: UserViewer): AccountFacts {
  return { id, username, name, email, state: 'active', admin, createdAt: createdAt.toISOString() };
}
