import { randomUUID } from 'node:crypto';
import { Controller, Delete, Get, Post } from '@nestjs/common';
import {
  type AccessTokenScope,
  accessTokenScopes,
  CreateAccessToken,
  ListAccessTokens,
  RevokeAccessToken,
  ShowAccessToken,
} from '#libs/contracts';
import { CurrentViewer, Needs } from '../access/needs.decorator.js';
import { hashSecret, newSecret } from '../access/secrets.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import {
  BooleanParameter,
  ChoiceParameter,
  DateTimeParameter,
  IntegerParameter,
  ListParameter,
  StringParameter,
} from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { AccessTokenResponse, NewAccessTokenResponse, presentAccessToken } from './access-token.response.js';

class OwnNewAccessToken {
  @StringParameter({ required: true, maxLength: 255 }) name!: string;
  @StringParameter({ maxLength: 1_024 }) description?: string | null;
  @ListParameter({ required: true, of: accessTokenScopes, commas: true }) scopes!: AccessTokenScope[];
  @DateTimeParameter({ description: 'The day from which it is refused, within a year; without it, never' })
  expires_at?: Date | null;
}

class NewAccessToken extends OwnNewAccessToken {
  @IntegerParameter({ required: true }) user_id!: number;
}

class ThisAccessToken {
  @IntegerParameter({ required: true }) id!: number;
}

class AccessTokenFilter {
  @IntegerParameter({ description: 'For administrators: this user’s' }) user_id?: number | null;
  @BooleanParameter() revoked?: boolean | null;
  @ChoiceParameter(['active', 'inactive']) state?: 'active' | 'inactive';
  @StringParameter({ description: 'Part of the name' }) search?: string | null;
}

/** Any token may look at itself. */
const itself = { scopes: accessTokenScopes };

/** GitLab's personal access tokens. */
@Controller()
export class AccessTokensController {
  constructor(private readonly services: Services) {}

  @Post('users/:user_id/personal_access_tokens')
  @Needs('administrator')
  @Endpoint({
    summary: 'Create an access token for a user',
    description: 'The answer is the only place where the token can be read.',
    success: 201,
    returns: NewAccessTokenResponse,
    errors: [401, 403, 404, 422],
  })
  create(@Parameters(NewAccessToken) given: NewAccessToken): Promise<NewAccessTokenResponse> {
    return this.#create(given.user_id, given);
  }

  @Post('user/personal_access_tokens')
  @Needs('user')
  @Endpoint({
    summary: 'Create an access token for oneself',
    description:
      'The answer is the only place where the token can be read. GitLab takes few scopes here; this takes all.',
    success: 201,
    returns: NewAccessTokenResponse,
    errors: [401, 403, 422],
  })
  createOwn(
    @CurrentViewer() viewer: Viewer,
    @Parameters(OwnNewAccessToken) given: OwnNewAccessToken,
  ): Promise<NewAccessTokenResponse> {
    return this.#create(signedIn(viewer).id, given);
  }

  @Get('personal_access_tokens')
  @Needs('user')
  @Endpoint({ summary: 'List access tokens', returns: [AccessTokenResponse], errors: [401, 403] })
  async list(
    @CurrentViewer() viewer: Viewer,
    @Parameters(AccessTokenFilter) { user_id: userId, revoked, state, search }: AccessTokenFilter,
    @RequestedPage() page: Page,
  ): Promise<AccessTokenResponse[]> {
    const { items, total } = await this.services.ask(ListAccessTokens, {
      actor: actorOf(signedIn(viewer)),
      userId,
      revoked,
      state,
      search,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(items.map(presentAccessToken), { total });
  }

  @Get('personal_access_tokens/self')
  @Needs('user', itself)
  @Endpoint({ summary: 'Show the access token of the request', returns: AccessTokenResponse, errors: [401, 403] })
  showItself(@CurrentViewer() viewer: Viewer): Promise<AccessTokenResponse> {
    return this.#show(viewer, signedIn(viewer).tokenId);
  }

  @Delete('personal_access_tokens/self')
  @Needs('user', itself)
  @Endpoint({ summary: 'Revoke the access token of the request', success: 204, errors: [401, 403] })
  revokeItself(@CurrentViewer() viewer: Viewer): Promise<void> {
    return this.#revoke(viewer, signedIn(viewer).tokenId);
  }

  @Get('personal_access_tokens/:id')
  @Needs('user')
  @Endpoint({ summary: 'Show an access token', returns: AccessTokenResponse, errors: [401, 403, 404] })
  show(
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisAccessToken) { id }: ThisAccessToken,
  ): Promise<AccessTokenResponse> {
    return this.#show(viewer, id);
  }

  @Delete('personal_access_tokens/:id')
  @Needs('user')
  @Endpoint({
    summary: 'Revoke an access token',
    description: 'Once this is answered, the token is refused.',
    success: 204,
    errors: [401, 403, 404],
  })
  revoke(@CurrentViewer() viewer: Viewer, @Parameters(ThisAccessToken) { id }: ThisAccessToken): Promise<void> {
    return this.#revoke(viewer, id);
  }

  async #create(userId: number, given: OwnNewAccessToken): Promise<NewAccessTokenResponse> {
    const token = newSecret('glpat');
    const facts = await this.services.ask(CreateAccessToken, {
      requestId: randomUUID(),
      userId,
      name: given.name,
      description: given.description,
      scopes: given.scopes,
      expiresAt: given.expires_at?.toISOString().slice(0, 10),
      tokenHash: hashSecret(token).toString('hex'),
      visible: token.slice(-4),
    });
    return { ...presentAccessToken(facts), token };
  }

  async #show(viewer: Viewer, tokenId: number): Promise<AccessTokenResponse> {
    const actor = actorOf(signedIn(viewer));
    return presentAccessToken(await this.services.ask(ShowAccessToken, { actor, tokenId }));
  }

  async #revoke(viewer: Viewer, tokenId: number): Promise<void> {
    await this.services.ask(RevokeAccessToken, { actor: actorOf(signedIn(viewer)), tokenId });
  }
}
