import { Controller, Delete, Get, Post, Put } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import {
  CreateVariable,
  DeleteVariable,
  EditVariable,
  ListVariables,
  ShowVariable,
  type VariableFacts,
  type VariableType,
  variableTypes,
} from '#libs/contracts';
import { Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { BooleanParameter, ChoiceParameter, MapParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';

class VariableResponse {
  @ApiProperty({ enum: variableTypes }) variable_type!: VariableType;
  @ApiProperty() key!: string;
  @ApiProperty({ type: 'string', nullable: true, description: 'null for a hidden one' }) value!: string | null;
  @ApiProperty() protected!: boolean;
  @ApiProperty() masked!: boolean;
  @ApiProperty() hidden!: boolean;
  @ApiProperty() raw!: boolean;
  @ApiProperty() environment_scope!: string;
  @ApiProperty({ type: 'string', nullable: true }) description!: string | null;
}

class VariableSettings {
  @ChoiceParameter(variableTypes) variable_type?: VariableType | null;
  @BooleanParameter({ description: 'Only for jobs on protected refs' }) protected?: boolean | null;
  @BooleanParameter({ description: 'Hidden in logs' }) masked?: boolean | null;
  @BooleanParameter({ description: 'Dollars in it are plain text' }) raw?: boolean | null;
  @StringParameter() environment_scope?: string | null;
  @StringParameter() description?: string | null;
}

class NewVariable extends VariableSettings {
  @StringParameter({ required: true, blank: false }) key!: string;
  @StringParameter({ required: true }) value!: string;
  @BooleanParameter({ description: 'Masked, and never shown again' }) masked_and_hidden?: boolean | null;
}

class ThisVariable {
  @StringParameter({ required: true }) key!: string;
  @MapParameter({ description: '`filter[environment_scope]` tells variables of one key apart' }) filter?: Record<
    string,
    unknown
  > | null;
}

class VariableChange extends VariableSettings {
  @StringParameter({ required: true }) key!: string;
  @StringParameter() value?: string | null;
  @MapParameter() filter?: Record<string, unknown> | null;
}

/** A project's variables, the seed's "secure variables" among them. */
@Controller('projects/:id/variables')
@Needs('manage-variables')
export class VariablesController {
  constructor(private readonly services: Services) {}

  @Get()
  @Endpoint({ summary: 'List project variables', returns: [VariableResponse], errors: [401, 403, 404] })
  async list(@Project() project: ProjectAddress, @RequestedPage() page: Page): Promise<VariableResponse[]> {
    const { items, total } = await this.services.ask(ListVariables, {
      projectId: project.id,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(items.map(present), { total });
  }

  @Get(':key')
  @Endpoint({ summary: 'Show a project variable', returns: VariableResponse, errors: [401, 403, 404, 409] })
  async show(
    @Project() project: ProjectAddress,
    @Parameters(ThisVariable) { key, filter }: ThisVariable,
  ): Promise<VariableResponse> {
    return present(await this.services.ask(ShowVariable, { projectId: project.id, key, filterScope: scopeOf(filter) }));
  }

  @Post()
  @Endpoint({ summary: 'Add a project variable', success: 201, returns: VariableResponse, errors: [401, 403, 404] })
  async create(
    @Project() project: ProjectAddress,
    @Parameters(NewVariable) parameters: NewVariable,
  ): Promise<VariableResponse> {
    const hidden = parameters.masked_and_hidden ?? false;
    const facts = await this.services.ask(CreateVariable, {
      projectId: project.id,
      key: parameters.key,
      value: parameters.value,
      variableType: parameters.variable_type ?? 'env_var',
      protected: parameters.protected ?? false,
      masked: hidden || (parameters.masked ?? false),
      hidden,
      raw: parameters.raw ?? false,
      environmentScope: parameters.environment_scope ?? '*',
      description: parameters.description,
    });
    return present(facts);
  }

  @Put(':key')
  @Endpoint({ summary: 'Change a project variable', returns: VariableResponse, errors: [401, 403, 404, 409] })
  async edit(
    @Project() project: ProjectAddress,
    @Parameters(VariableChange) parameters: VariableChange,
  ): Promise<VariableResponse> {
    const facts = await this.services.ask(EditVariable, {
      projectId: project.id,
      key: parameters.key,
      filterScope: scopeOf(parameters.filter),
      value: parameters.value ?? undefined,
      variableType: parameters.variable_type ?? undefined,
      protected: parameters.protected ?? undefined,
      masked: parameters.masked ?? undefined,
      raw: parameters.raw ?? undefined,
      environmentScope: parameters.environment_scope ?? undefined,
      description: parameters.description,
    });
    return present(facts);
  }

  @Delete(':key')
  @Endpoint({ summary: 'Remove a project variable', success: 204, errors: [401, 403, 404, 409] })
  async delete(
    @Project() project: ProjectAddress,
    @Parameters(ThisVariable) { key, filter }: ThisVariable,
  ): Promise<void> {
    await this.services.ask(DeleteVariable, { projectId: project.id, key, filterScope: scopeOf(filter) });
  }
}

function scopeOf(filter: Record<string, unknown> | null | undefined): string | null {
  const scope = filter?.['environment_scope'];
  return typeof scope === 'string' ? scope : null;
}

function present(facts: VariableFacts): VariableResponse {
  return {
    variable_type: facts.variableType,
    key: facts.key,
    value: facts.value,
    protected: facts.protected,
    masked: facts.masked,
    hidden: facts.hidden,
    raw: facts.raw,
    environment_scope: facts.environmentScope,
    description: facts.description,
  };
}
