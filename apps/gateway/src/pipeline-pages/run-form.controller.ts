import { Controller, Get } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { inputTypes, ShowRunForm } from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';
import { AtRoot } from '../http/at-root.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';

class RunFormParameters {
  @StringParameter({ description: 'Branch or tag; the default branch unless given' }) ref?: string | null;
}

class FormInputResponse {
  @ApiProperty() name!: string;
  @ApiProperty({ enum: inputTypes }) type!: string;
  @ApiProperty({ type: 'string', nullable: true }) description!: string | null;
  @ApiProperty({
    anyOf: [{ type: 'string', nullable: true }, { type: 'number' }, { type: 'boolean' }, { type: 'array', items: {} }],
    description: 'A value of the type; null where one must be given',
  })
  default!: unknown;
  @ApiProperty() required!: boolean;
  @ApiProperty({ type: 'array', items: {}, nullable: true, description: 'The values that it may have' })
  options!: unknown[] | null;
  @ApiProperty({ type: 'string', nullable: true, description: 'Regular expression, as RE2 reads it' })
  regex!: string | null;
}

class FormVariableResponse {
  @ApiProperty() key!: string;
  @ApiProperty() value!: string;
  @ApiProperty() description!: string;
  @ApiProperty({ type: [String], nullable: true, description: 'The values that it may have' })
  options!: string[] | null;
}

class RunFormResponse {
  @ApiProperty({ type: [FormInputResponse] }) inputs!: FormInputResponse[];
  @ApiProperty({ type: [FormVariableResponse], description: 'Those that the configuration describes' })
  variables!: FormVariableResponse[];
  @ApiProperty({ type: [String], description: 'Why no pipeline can be made there' }) problems!: string[];
}

/** What is asked of a person who runs a pipeline by hand. */
@AtRoot()
@Controller('-/projects/:id/run_form')
export class RunFormController {
  constructor(private readonly services: Services) {}

  @Get()
  @Needs('create-pipeline')
  @Endpoint({
    summary: 'Show the inputs and variables that the configuration at a ref asks for',
    returns: RunFormResponse,
    errors: [401, 403, 404],
  })
  show(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(RunFormParameters) { ref }: RunFormParameters,
  ): Promise<RunFormResponse> {
    return this.services.ask(ShowRunForm, {
      projectId: project.id,
      ref: ref || null,
      actor: actorOf(signedIn(viewer)),
    });
  }
}
