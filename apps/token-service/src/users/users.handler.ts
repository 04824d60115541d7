import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { DataSource, type EntityManager } from 'typeorm';
import {
  type AccountFacts,
  CreateUser,
  DeleteUser,
  invalid,
  ListUsers,
  type Page,
  SetUserState,
  ShowUser,
  thingNotFound,
  TriggerTokenRevoked,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { Outbox } from '#libs/persistence';
import { containing } from '../containing.js';
import { User } from './user.entity.js';
import { accountFacts, userChanged } from './user.facts.js';
import { takenRefusal, userProblems } from './user-attributes.js';

/** Adding, showing, blocking and removing users. Who may, the gateway has asked. */
@Controller()
export class UsersHandler {
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
  ) {}

  @MessagePattern(CreateUser.pattern)
  create(@Payload() { requestId, username, name, email, admin }: CreateUser): Promise<AccountFacts> {
    const problems = userProblems({ username, name, email });
    if (Object.keys(problems).length > 0) throw invalid(problems);
    return this.outbox.transaction(async (manager, say) => {
      const [added] = await manager.query(
        `insert into tokens.users (request_id, username, name, email, admin) values ($1, $2, $3, $4, $5)
         on conflict do nothing returning id`,
        [requestId, username, name, email, admin],
      );
      const user = await manager.findOneBy(User, { requestId });
      if (!user) throw takenRefusal(await taken(manager, email));
      if (added) say(...userChanged(user));
      return accountFacts(user);
    });
  }

  @MessagePattern(ShowUser.pattern)
  async show(@Payload() { userId }: ShowUser): Promise<AccountFacts> {
    const user = await this.database.getRepository(User).findOneBy({ id: userId });
    if (!user) throw thingNotFound('User');
    return accountFacts(user);
  }

  @MessagePattern(ListUsers.pattern)
  async list(@Payload() { username, search, state, admins, page, perPage }: ListUsers): Promise<Page<AccountFacts>> {
    const query = this.database.getRepository(User).createQueryBuilder('users');
    if (username) query.andWhere('lower(users.username) = lower(:username)', { username });
    if (search) {
      query.andWhere('(users.username ilike :part or users.name ilike :part or lower(users.email) = lower(:search))', {
        part: containing(search),
        search,
      });
    }
    if (state) query.andWhere('users.state = :state', { state });
    if (admins) query.andWhere('users.admin');
    const [users, total] = await query
      .orderBy('users.id', 'DESC')
      .offset((page - 1) * perPage)
      .limit(perPage)
      .getManyAndCount();
    return { items: users.map(accountFacts), total };
  }

  @MessagePattern(SetUserState.pattern)
  setState(@Payload() { userId, state }: SetUserState): Promise<AccountFacts> {
    return this.outbox.transaction(async (manager, say) => {
      const user = await lockUser(manager, userId);
      if (user.state !== state) {
        await manager.update(User, { id: userId }, { state });
        user.state = state;
        say(...userChanged(user));
      }
      return accountFacts(user);
    });
  }

  @MessagePattern(DeleteUser.pattern)
  delete(@Payload() { userId }: DeleteUser): Promise<null> {
    return this.outbox.transaction(async (manager, say) => {
      const user = await lockUser(manager, userId);
      const [triggers]: [{ id: number; project_id: number }[], number] = await manager.query(
        'delete from tokens.triggers where owner_id = $1 returning id, project_id',
        [userId],
      );
      // Access tokens and memberships go with the row.
      await manager.delete(User, { id: userId });
      for (const { id, project_id } of triggers) say(TriggerTokenRevoked, { triggerId: id, projectId: project_id });
      say(...userChanged(user, 'deleted'));
      return null;
    });
  }
}

/** GitLab looks at the address first. */
async function taken(manager: EntityManager, email: string): Promise<'Email' | 'Username'> {
  const found = await manager.query('select from tokens.users where lower(email) = lower($1)', [email]);
  return found.length > 0 ? 'Email' : 'Username';
}

async function lockUser(manager: EntityManager, id: number): Promise<User> {
  const user = await manager.findOne(User, { where: { id }, lock: { mode: 'pessimistic_write' } });
  if (!user) throw thingNotFound('User');
  return user;
}
