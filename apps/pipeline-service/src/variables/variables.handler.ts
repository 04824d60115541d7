import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  CreateVariable,
  DeleteVariable,
  EditVariable,
  FindMaskedKeys,
  invalid,
  ListVariables,
  type Page,
  Refusal,
  ShowVariable,
  thingNotFound,
  type VariableFacts,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { retryingTransaction } from '#libs/persistence';
import { DataSource, type EntityManager } from 'typeorm';
import { Sealing, variableSeal } from '../sealing.js';
import { editedVariable, variableProblems } from './variable.js';

/** GitLab's plan limit for a project. */
const most = 8_000;

type Variable = Omit<CreateVariable, 'replyType'> & { id: number };

const columns = `id, project_id as "projectId", key, value, variable_type as "variableType", protected, masked, hidden, raw,
  environment_scope as "environmentScope", description`;

/** A project's variables. Their values are sealed as long as they are stored; whether the actor may see them, the gateway has asked. */
@Controller()
export class VariablesHandler {
  constructor(
    private readonly database: DataSource,
    private readonly sealing: Sealing,
  ) {}

  @MessagePattern(ListVariables.pattern)
  async list(@Payload() { projectId, page, perPage }: ListVariables): Promise<Page<VariableFacts>> {
    const [{ total }]: [{ total: number }] = await this.database.query(
      'select count(*) as total from pipelines.variables where project_id = $1',
      [projectId],
    );
    const rows: Variable[] = await this.database.query(
      `select ${columns} from pipelines.variables where project_id = $1 order by id limit $2 offset $3`,
      [projectId, perPage, (page - 1) * perPage],
    );
    return { items: rows.map((row) => facts(this.opened(row))), total };
  }

  @MessagePattern(FindMaskedKeys.pattern)
  async findMaskedKeys(@Payload() { projectId, keys }: FindMaskedKeys): Promise<string[]> {
    const rows = (await this.database.query(
      'select distinct key from pipelines.variables where project_id = $1 and masked and key = any($2::text[])',
      [projectId, keys],
    )) as { key: string }[];
    return rows.map(({ key }) => key);
  }

  @MessagePattern(ShowVariable.pattern)
  async show(@Payload() which: ShowVariable): Promise<VariableFacts> {
    return facts(this.opened(await this.find(this.database.manager, which)));
  }

  @MessagePattern(CreateVariable.pattern)
  async create(@Payload() order: CreateVariable): Promise<VariableFacts> {
    const variable = { ...order, masked: order.masked || order.hidden };
    refuse(variableProblems(variable));
    const [{ total }]: [{ total: number }] = await this.database.query(
      'select count(*) as total from pipelines.variables where project_id = $1',
      [order.projectId],
    );
    if (total >= most) refuse({ base: [`Maximum number of project ci variables (${most}) exceeded`] });
    await this.write(order.key, () =>
      this.database.query(
        `insert into pipelines.variables
           (project_id, key, value, variable_type, protected, masked, hidden, raw, environment_scope, description)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        [
          order.projectId,
          order.key,
          this.sealed(variable),
          order.variableType,
          order.protected,
          variable.masked,
          order.hidden,
          order.raw,
          order.environmentScope,
          order.description ?? null,
        ],
      ),
    );
    return facts(variable);
  }

  @MessagePattern(EditVariable.pattern)
  edit(@Payload() order: EditVariable): Promise<VariableFacts> {
    return retryingTransaction(this.database, async (manager) => {
      const before = this.opened(await this.find(manager, order, 'for update'));
      const variable = editedVariable(before, order);
      if (before.hidden && !variable.masked)
        refuse({ base: ['The visibility setting cannot be changed for masked and hidden variables.'] });
      refuse(variableProblems(variable));
      await this.write(order.key, () =>
        manager.query(
          `update pipelines.variables set value = $2, variable_type = $3, protected = $4, masked = $5, raw = $6,
                  environment_scope = $7, description = $8 where id = $1`,
          [
            before.id,
            this.sealed(variable),
            variable.variableType,
            variable.protected,
            variable.masked,
            variable.raw,
            variable.environmentScope,
            variable.description ?? null,
          ],
        ),
      );
      return facts(variable);
    });
  }

  @MessagePattern(DeleteVariable.pattern)
  async delete(@Payload() which: DeleteVariable): Promise<null> {
    const { id } = await this.find(this.database.manager, which);
    await this.database.query('delete from pipelines.variables where id = $1', [id]);
    return null;
  }

  private async find(
    manager: EntityManager,
    { projectId, key, filterScope }: Pick<ShowVariable, 'projectId' | 'key' | 'filterScope'>,
    lock: 'for update' | '' = '',
  ): Promise<Variable> {
    const rows: Variable[] = await manager.query(
      `select ${columns} from pipelines.variables
       where project_id = $1 and key = $2 and ($3::text is null or environment_scope = $3) order by id ${lock}`,
      [projectId, key, filterScope ?? null],
    );
    const [variable] = rows;
    if (!variable) throw thingNotFound('Variable');
    if (rows.length > 1) {
      const message = "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'";
      throw new Refusal(409, { message });
    }
    return variable;
  }

  private async write(key: string, statement: () => Promise<unknown>): Promise<void> {
    try {
      await statement();
    } catch (error) {
      if ((error as { code?: string }).code !== '23505') throw error;
      refuse({ key: [`(${key}) has already been taken`] });
    }
  }

  private sealed({ projectId, key, value }: Omit<Variable, 'id'>): string {
    return this.sealing.seal(value, variableSeal(projectId, key));
  }

  private opened(row: Variable): Variable {
    return { ...row, value: this.sealing.open(row.value, variableSeal(row.projectId, row.key)) };
  }
}

function refuse(problems: Record<string, string[]>): void {
  if (Object.keys(problems).length > 0) throw invalid(problems);
}

function facts(variable: Omit<Variable, 'id'>): VariableFacts {
  const { key, value, variableType, masked, hidden, raw, environmentScope, description } = variable;
  return {
    key,
    value: hidden ? null : value,
    variableType,
    protected: variable.protected,
    masked,
    hidden,
    raw,
    environmentScope,
    description: description ?? null,
  };
}
