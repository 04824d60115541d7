import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { DataSource } from 'typeorm';
import {
  type AccessTokenFacts,
  type Actor,
  badRequest,
  CreateAccessToken,
  ListAccessTokens,
  notFound,
  type Page,
  RevokeAccessToken,
  ShowAccessToken,
  thingNotFound,
  unauthorized,
  unprocessable,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { containing } from '../containing.js';
import { expiryProblem } from '../expiry.js';
import { User } from '../users/user.entity.js';
import { AccessToken } from './access-token.entity.js';
import { accessTokenFacts } from './access-token.facts.js';

/** Adding, showing and revoking personal access tokens, as GitLab does it. */
@Controller()
export class AccessTokensHandler {
  constructor(private readonly database: DataSource) {}

  @MessagePattern(CreateAccessToken.pattern)
  async create(@Payload() order: CreateAccessToken): Promise<AccessTokenFacts> {
    const now = new Date();
    const expiresAt = order.expiresAt ? new Date(order.expiresAt) : null;
    const expiry = expiresAt && expiryProblem(expiresAt, now);
    const problems = [
      ...(order.name.trim() === '' ? ["Name can't be blank"] : []),
      ...(order.scopes.length === 0 ? ["Scopes can't be blank"] : []),
      ...(expiry ? [`Expiration date ${expiry}`] : []),
    ];
    if (problems.length > 0) throw unprocessable(problems.join(' and '));
    if (!(await this.database.getRepository(User).existsBy({ id: order.userId }))) throw thingNotFound('User');
    await this.database.query(
      `insert into tokens.access_tokens
         (request_id, user_id, name, description, scopes, token_hash, visible, expires_at)
       values ($1, $2, $3, $4, $5, decode($6, 'hex'), $7, $8) on conflict do nothing`,
      [
        order.requestId,
        order.userId,
        order.name,
        order.description ?? null,
        order.scopes,
        order.tokenHash,
        order.visible,
        expiresAt,
      ],
    );
    return accessTokenFacts(await this.tokens.findOneByOrFail({ requestId: order.requestId }), now);
  }

  @MessagePattern(ListAccessTokens.pattern)
  async list(@Payload() order: ListAccessTokens): Promise<Page<AccessTokenFacts>> {
    const { actor, page, perPage } = order;
    const now = new Date();
    const query = this.tokens.createQueryBuilder('tokens');
    if (!actor.admin) {
      if (order.userId && order.userId !== actor.id) throw unauthorized();
      query.andWhere('tokens.userId = :own', { own: actor.id });
    } else if (order.userId) {
      query.andWhere('tokens.userId = :userId', { userId: order.userId });
    }
    if (typeof order.revoked === 'boolean') query.andWhere('tokens.revoked = :revoked', { revoked: order.revoked });
    if (order.state) {
      const active = '(not tokens.revoked and (tokens.expiresAt is null or tokens.expiresAt > :now))';
      query.andWhere(order.state === 'active' ? active : `not ${active}`, { now });
    }
    if (order.search) query.andWhere('tokens.name ilike :part', { part: containing(order.search) });
    const [tokens, total] = await query
      .orderBy('tokens.id', 'DESC')
      .offset((page - 1) * perPage)
      .limit(perPage)
      .getManyAndCount();
    return { items: tokens.map((token) => accessTokenFacts(token, now)), total };
  }

  /** Others than administrators do not learn which ids there are. */
  @MessagePattern(ShowAccessToken.pattern)
  async show(@Payload() { actor, tokenId }: ShowAccessToken): Promise<AccessTokenFacts> {
    const token = await this.tokens.findOneBy({ id: tokenId });
    if (!token && actor.admin) throw notFound();
    if (!token || !mayUse(token, actor)) throw unauthorized();
    return accessTokenFacts(token, new Date());
  }

  /** Revoked tokens stay, so that the list tells about them. Committed before the answer leaves. */
  @MessagePattern(RevokeAccessToken.pattern)
  async revoke(@Payload() { actor, tokenId }: RevokeAccessToken): Promise<null> {
    const token = await this.tokens.findOneBy({ id: tokenId });
    if (!token) throw notFound();
    if (!mayUse(token, actor)) throw badRequest();
    await this.tokens.update({ id: tokenId }, { revoked: true });
    return null;
  }

  private get tokens() {
    return this.database.getRepository(AccessToken);
  }
}

function mayUse(token: AccessToken, actor: Actor): boolean {
  return actor.admin || token.userId === actor.id;
}
