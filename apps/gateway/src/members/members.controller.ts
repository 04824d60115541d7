import { randomUUID } from 'node:crypto';
import { Controller, Delete, Get, Post, Put } from '@nestjs/common';
import {
  type AccessLevel,
  AddMember,
  EditMember,
  invalid,
  invalidParameters,
  ListMembers,
  memberLevels,
  RemoveMember,
  ShowMember,
  unauthorized,
} from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { DateTimeParameter, IntegerParameter, ListParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { MemberResponse, presentMember } from './member.response.js';

const levelDescription = '10 Guest, 20 Reporter, 30 Developer, 40 Maintainer, 50 Owner';

class NewMember {
  @IntegerParameter({ required: true, description: levelDescription }) access_level!: number;
  @IntegerParameter({ description: 'This or `username`' }) user_id?: number | null;
  @StringParameter({ description: 'This or `user_id`' }) username?: string | null;
  @DateTimeParameter({ description: 'The day from which the user is no member any more' }) expires_at?: Date | null;
}

class ThisMember {
  @IntegerParameter({ required: true }) user_id!: number;
}

class MemberChange extends ThisMember {
  @IntegerParameter({ required: true, description: levelDescription }) access_level!: number;
  @DateTimeParameter({ description: 'Left out: stays as it is' }) expires_at?: Date | null;
}

class MemberFilter {
  @StringParameter({ description: 'Part of the name or username' }) query?: string | null;
  @ListParameter({ of: 'integer', commas: true }) user_ids?: number[];
}

/** GitLab's members of a project. */
@Controller('projects/:id/members')
export class MembersController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  @Get()
  @Needs('read-members')
  @Endpoint({ summary: 'List members', returns: [MemberResponse], errors: [401, 403, 404] })
  async list(
    @Project() project: ProjectAddress,
    @Parameters(MemberFilter) { query, user_ids: userIds }: MemberFilter,
    @RequestedPage() page: Page,
  ): Promise<MemberResponse[]> {
    const { items, total } = await this.services.ask(ListMembers, {
      projectId: project.id,
      query,
      userIds,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((member) => presentMember(member, this.config.externalUrl)),
      { total },
    );
  }

  @Get(':user_id')
  @Needs('read-members')
  @Endpoint({ summary: 'Show a member', returns: MemberResponse, errors: [401, 403, 404] })
  async show(
    @Project() project: ProjectAddress,
    @Parameters(ThisMember) { user_id: userId }: ThisMember,
  ): Promise<MemberResponse> {
    const member = await this.services.ask(ShowMember, { projectId: project.id, userId });
    return presentMember(member, this.config.externalUrl);
  }

  @Post()
  @Needs('manage-members')
  @Endpoint({ summary: 'Add a member', success: 201, returns: MemberResponse, errors: [401, 403, 404, 409] })
  async add(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(NewMember) { user_id: userId, username, access_level, expires_at }: NewMember,
  ): Promise<MemberResponse> {
    const named = [userId, username].filter((given) => given !== undefined && given !== null).length;
    if (named === 0) {
      throw invalidParameters('user_id, username are missing, exactly one parameter must be provided');
    }
    if (named === 2) throw invalidParameters('user_id, username are mutually exclusive');
    const member = await this.services.ask(AddMember, {
      requestId: randomUUID(),
      projectId: project.id,
      actor: actorOf(signedIn(viewer)),
      userId,
      username,
      accessLevel: levelOf(access_level),
      expiresAt: dayOf(expires_at),
    });
    return presentMember(member, this.config.externalUrl);
  }

  @Put(':user_id')
  @Needs('manage-members')
  @Endpoint({ summary: 'Change a member', returns: MemberResponse, errors: [401, 403, 404] })
  async edit(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(MemberChange) { user_id: userId, access_level, expires_at }: MemberChange,
  ): Promise<MemberResponse> {
    const member = await this.services.ask(EditMember, {
      projectId: project.id,
      actor: actorOf(signedIn(viewer)),
      userId,
      accessLevel: levelOf(access_level),
      expiresAt: dayOf(expires_at),
    });
    return presentMember(member, this.config.externalUrl);
  }

  /** Everybody may leave, so it is for the service to say who may remove whom. */
  @Delete(':user_id')
  @Needs('read-members')
  @Endpoint({ summary: 'Remove a member', success: 204, errors: [401, 403, 404] })
  async remove(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisMember) { user_id: userId }: ThisMember,
  ): Promise<void> {
    if (viewer.kind !== 'user') throw unauthorized();
    await this.services.ask(RemoveMember, { projectId: project.id, actor: actorOf(viewer), userId });
  }
}

function levelOf(given: number): AccessLevel {
  const level = memberLevels.find((known) => known === given);
  if (level === undefined) throw invalid({ access_level: ['is not included in the list'] });
  return level;
}

/** `YYYY-MM-DD`; null and undefined stay what they are: "never" and "as it is". */
function dayOf(time: Date | null | undefined): string | null | undefined {
  return time && time.toISOString().slice(0, 10);
}
