import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { DataSource, type EntityManager } from 'typeorm';
import {
  AccessLevel,
  type Actor,
  AddMember,
  EditMember,
  forbidden,
  invalid,
  ListMembers,
  MakeOwner,
  type MemberFacts,
  notFound,
  type Page,
  Refusal,
  RemoveMember,
  ShowActor,
  ShowMember,
  thingNotFound,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { containing } from '../containing.js';
import { Member } from './member.entity.js';
import { memberFacts } from './member.facts.js';
import { mayManageMember } from './member.policy.js';

/** A membership that has ended is no longer there; the next one takes its row. */
const lasting = '(members.expires_at is null or members.expires_at > now())';

/** Members of projects and their access levels, as GitLab does it. */
@Controller()
export class MembersHandler {
  constructor(private readonly database: DataSource) {}

  @MessagePattern(AddMember.pattern)
  add(@Payload() order: AddMember): Promise<MemberFacts> {
    const { requestId, projectId, actor, accessLevel } = order;
    if (!mayManageMember(actor.accessLevel, accessLevel)) throw forbidden();
    refusePast(order.expiresAt);
    return this.database.transaction(async (manager) => {
      const userId = await findUser(manager, order);
      await manager.query(
        `insert into tokens.members (project_id, user_id, access_level, request_id, created_by_id, expires_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (project_id, user_id) do update
           set access_level = excluded.access_level, request_id = excluded.request_id,
               created_by_id = excluded.created_by_id, created_at = excluded.created_at, expires_at = excluded.expires_at
           where not ${lasting}`,
        [projectId, userId, accessLevel, requestId, actor.id, order.expiresAt ?? null],
      );
      const member = await findMember(manager, projectId, userId);
      if (member.requestId !== requestId) throw new Refusal(409, { message: 'Member already exists' });
      return memberFacts(member);
    });
  }

  @MessagePattern(MakeOwner.pattern)
  makeOwner(@Payload() { projectId, userId }: MakeOwner): Promise<MemberFacts> {
    return this.database.transaction(async (manager) => {
      await findUser(manager, { userId });
      await manager.query(
        `insert into tokens.members (project_id, user_id, access_level, created_by_id) values ($1, $2, $3, $2)
         on conflict (project_id, user_id) do update set access_level = excluded.access_level, expires_at = null`,
        [projectId, userId, AccessLevel.Owner],
      );
      return memberFacts(await findMember(manager, projectId, userId));
    });
  }

  @MessagePattern(EditMember.pattern)
  edit(@Payload() { projectId, actor, userId, accessLevel, expiresAt }: EditMember): Promise<MemberFacts> {
    refusePast(expiresAt);
    return this.database.transaction(async (manager) => {
      const member = await lockMember(manager, projectId, userId);
      if (!mayManageMember(actor.accessLevel, member.accessLevel, accessLevel)) throw forbidden();
      await manager.update(
        Member,
        { projectId, userId },
        { accessLevel, ...(expiresAt === undefined ? {} : { expiresAt: expiresAt && new Date(expiresAt) }) },
      );
      return memberFacts(await findMember(manager, projectId, userId));
    });
  }

  @MessagePattern(RemoveMember.pattern)
  remove(@Payload() { projectId, actor, userId }: RemoveMember): Promise<null> {
    return this.database.transaction(async (manager) => {
      const member = await lockMember(manager, projectId, userId);
      if (userId !== actor.id && !mayManageMember(actor.accessLevel, member.accessLevel)) throw forbidden();
      await manager.delete(Member, { projectId, userId });
      return null;
    });
  }

  @MessagePattern(ShowMember.pattern)
  async show(@Payload() { projectId, userId }: ShowMember): Promise<MemberFacts> {
    return memberFacts(await findMember(this.database.manager, projectId, userId));
  }

  /** The same answer as the credential views give, for whoever acts for a user without one of the user's tokens. */
  @MessagePattern(ShowActor.pattern)
  async showActor(@Payload() { userId, projectId }: ShowActor): Promise<Actor | null> {
    const [actor]: (Omit<Actor, 'createdAt'> & { createdAt: Date })[] = await this.database.query(
      `select users.id, username, name, email, state, admin, users.created_at as "createdAt",
              case when admin then $3 else coalesce(access_level, $4) end as "accessLevel"
         from tokens.users
         left join tokens.members on members.user_id = users.id and members.project_id = $2 and ${lasting}
        where users.id = $1`,
      [userId, projectId, AccessLevel.Owner, AccessLevel.None],
    );
    return actor ? { ...actor, createdAt: actor.createdAt.toISOString() } : null;
  }

  @MessagePattern(ListMembers.pattern)
  async list(@Payload() { projectId, query, userIds, page, perPage }: ListMembers): Promise<Page<MemberFacts>> {
    const members = membersOf(this.database.manager, projectId);
    if (query) members.andWhere('(users.username ilike :part or users.name ilike :part)', { part: containing(query) });
    if (userIds) members.andWhere('members.user_id = any(:userIds)', { userIds });
    const [found, total] = await members
      .orderBy('members.userId')
      .offset((page - 1) * perPage)
      .limit(perPage)
      .getManyAndCount();
    return { items: found.map(memberFacts), total };
  }
}

function refusePast(expiresAt: string | null | undefined): void {
  if (expiresAt && new Date(expiresAt) <= new Date()) throw invalid({ expires_at: ['cannot be a date in the past'] });
}

async function findUser(manager: EntityManager, { userId, username }: Pick<AddMember, 'userId' | 'username'>) {
  const [user]: { id: number }[] = await manager.query(
    'select id from tokens.users where id = $1 or lower(username) = lower($2)',
    [userId ?? null, userId ? null : (username ?? null)],
  );
  if (!user) throw thingNotFound('User');
  return user.id;
}

function membersOf(manager: EntityManager, projectId: number) {
  return manager
    .createQueryBuilder(Member, 'members')
    .innerJoinAndSelect('members.user', 'users')
    .leftJoinAndSelect('members.createdBy', 'creators')
    .where('members.project_id = :projectId', { projectId })
    .andWhere(lasting);
}

async function findMember(manager: EntityManager, projectId: number, userId: number): Promise<Member> {
  const member = await membersOf(manager, projectId).andWhere('members.user_id = :userId', { userId }).getOne();
  if (!member) throw notFound();
  return member;
}

async function lockMember(manager: EntityManager, projectId: number, userId: number): Promise<Member> {
  const member = await manager
    .createQueryBuilder(Member, 'members')
    .where('members.project_id = :projectId and members.user_id = :userId', { projectId, userId })
    .andWhere(lasting)
    .setLock('pessimistic_write')
    .getOne();
  if (!member) throw notFound();
  return member;
}
