import { Controller, Delete, Get, Header, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { forbidden, notFound, Refusal, unauthorized, userBlocked } from '#libs/contracts';
import { type AccessCredential, AccessTokens, userBehind } from '../access/access-tokens.js';
import { CurrentViewer, Needs } from '../access/needs.decorator.js';
import { signedIn, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { AtRoot } from '../http/at-root.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { IntegerParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { isCrossOrigin } from './same-origin.js';
import { CurrentSessionResponse, presentCurrentSession, presentSession, SessionResponse } from './session.response.js';
import { clearSessionCookie, readSessionCookie, writeSessionCookie } from './session-cookie.js';
import { Sessions } from './sessions.js';

class NewSession {
  @StringParameter({ required: true, blank: false, description: 'With the scope api or read_api' })
  access_token!: string;
}

class ThisSession {
  @IntegerParameter({ required: true }) id!: number;
}

/** Whoever may sign in may sign out. */
const readingSuffices = { scopes: ['read_api'] };

/** People at the pages sign in with an access token, and out. */
@AtRoot()
@Controller('-')
export class SessionsController {
  constructor(
    private readonly sessions: Sessions,
    private readonly accessTokens: AccessTokens,
    private readonly config: GatewayConfig,
  ) {}

  @Post('session')
  @Needs('nothing')
  @Header('Cache-Control', 'no-store')
  @Endpoint({
    summary: 'Sign in with an access token',
    description: 'The cookie stands for the access token on every endpoint, wherever no other credentials are sent.',
    success: 201,
    returns: CurrentSessionResponse,
    headers: { 'Set-Cookie': 'The session' },
    errors: [401, 403],
  })
  async signIn(
    @Parameters(NewSession) { access_token: token }: NewSession,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CurrentSessionResponse> {
    const { externalUrl } = this.config;
    // Another site could make people work under somebody else's name.
    if (isCrossOrigin(request.headers, externalUrl)) throw forbidden('Signing in has to come from a page of this site');
    const now = new Date();
    const credential = goodCredential(await this.accessTokens.find(token.trim()), now);
    const user = userBehind(credential, now, true);
    await this.#endFormer(request);
    const { secret, expiresAt } = await this.sessions.begin(credential, request.headers['user-agent'], now);
    void reply.header('Set-Cookie', writeSessionCookie(secret, expiresAt, now, externalUrl));
    return presentCurrentSession(user, expiresAt);
  }

  @Get('session')
  @Needs('user')
  @Header('Cache-Control', 'no-store')
  @Endpoint({ summary: 'Show who is signed in', returns: CurrentSessionResponse, errors: [401] })
  async show(@CurrentViewer() viewer: Viewer, @Req() request: FastifyRequest): Promise<CurrentSessionResponse> {
    const session = await this.#sessionOf(request);
    if (!session) throw unauthorized();
    return presentCurrentSession(signedIn(viewer), session.session_expires_at);
  }

  @Delete('session')
  @Needs('anyone', readingSuffices)
  @Endpoint({ summary: 'Sign out', success: 204, headers: { 'Set-Cookie': 'Takes the session away' } })
  async signOut(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    await this.#endFormer(request);
    void reply.header('Set-Cookie', clearSessionCookie(this.config.externalUrl));
  }

  @Get('sessions')
  @Needs('user')
  @Header('Cache-Control', 'no-store')
  @Endpoint({ summary: 'List one’s own sessions', returns: [SessionResponse] })
  async list(@CurrentViewer() viewer: Viewer): Promise<SessionResponse[]> {
    const { id, sessionId } = signedIn(viewer);
    return (await this.sessions.ofUser(id)).map((session) => presentSession(session, sessionId));
  }

  @Delete('sessions')
  @Needs('user', readingSuffices)
  @Endpoint({ summary: 'End all of one’s own sessions but that of the request', success: 204 })
  async endOthers(@CurrentViewer() viewer: Viewer): Promise<void> {
    const { id, sessionId } = signedIn(viewer);
    await this.sessions.endAll(id, sessionId);
  }

  @Delete('sessions/:id')
  @Needs('user', readingSuffices)
  @Endpoint({ summary: 'End one of one’s own sessions', success: 204, errors: [404] })
  async end(@CurrentViewer() viewer: Viewer, @Parameters(ThisSession) { id }: ThisSession): Promise<void> {
    if (!(await this.sessions.end(signedIn(viewer).id, id))) throw notFound();
  }

  async #endFormer(request: FastifyRequest): Promise<void> {
    const session = await this.#sessionOf(request);
    if (session) await this.sessions.end(session.user_id, session.session_id);
  }

  async #sessionOf(request: FastifyRequest) {
    const secret = readSessionCookie(request.headers.cookie, this.config.externalUrl);
    return secret === undefined ? undefined : this.sessions.find(secret);
  }
}

/**
 * Whoever holds a token may know what is wrong with it, and reads it in a form.
 * @throws Refusal 401 or 403
 */
function goodCredential(credential: AccessCredential | undefined, now: Date): AccessCredential {
  if (!credential) throw unauthorized('This is not an access token of this site. Check that all of it was copied.');
  if (credential.revoked) throw unauthorized('This access token was revoked.');
  if (credential.expires_at && credential.expires_at <= now) throw unauthorized('This access token has expired.');
  if (credential.state === 'blocked') throw userBlocked();
  if (!credential.scopes.some((scope) => scope === 'api' || scope === 'read_api'))
    throw new Refusal(403, {
      message: 'This access token cannot be used to sign in: it needs the scope api or read_api.',
    });
  return credential;
}
