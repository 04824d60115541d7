import { Controller, Get, Post } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { LintConfig, type LintFacts, type LintJobFacts } from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { BooleanParameter, MapParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { RequestBody } from '../http/request-body.decorator.js';
import { Services } from '../services.js';

const free = { type: 'object', additionalProperties: true } as const;
/** The largest configuration, in whatever encoding. */
const bodyLimit = 8 * 1024 * 1024;

class LintResponse {
  @ApiProperty() valid!: boolean;
  @ApiProperty({ type: [String] }) errors!: string[];
  @ApiProperty({ type: [String] }) warnings!: string[];
  @ApiProperty({ type: 'string', nullable: true }) merged_yaml!: string | null;
  @ApiProperty({ type: 'array', items: free }) includes!: object[];
  @ApiProperty({ type: 'array', items: free, required: false }) jobs?: object[];
}

class LintOptions {
  @BooleanParameter({ description: 'Evaluates rules too, as for a push' }) dry_run?: boolean | null;
  @BooleanParameter() include_jobs?: boolean | null;
  @MapParameter({ description: 'Inputs of the configuration' }) inputs?: Record<string, unknown>;
}

class LintText extends LintOptions {
  @StringParameter({ required: true }) content!: string;
  @StringParameter({ description: 'Branch or tag of the dry run' }) ref?: string | null;
}

class LintFile extends LintOptions {
  @StringParameter({ description: 'Commit, branch or tag whose file is checked' }) content_ref?: string | null;
  @StringParameter({ description: 'Older name of content_ref' }) sha?: string | null;
  @StringParameter({ description: 'Branch or tag of the dry run' }) dry_run_ref?: string | null;
  @StringParameter({ description: 'Older name of dry_run_ref' }) ref?: string | null;
}

/** CI Lint: what is wrong with a configuration, before anything runs. */
@Controller('projects/:id/ci/lint')
@Needs('lint-configuration')
export class LintController {
  constructor(private readonly services: Services) {}

  @Post()
  @RequestBody({ limit: bodyLimit })
  @Endpoint({ summary: 'Check a CI configuration', returns: LintResponse, errors: [401, 403, 404] })
  async text(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(LintText) parameters: LintText,
  ): Promise<LintResponse> {
    const facts = await this.services.ask(LintConfig, {
      projectId: project.id,
      actor: actorOf(signedIn(viewer)),
      content: parameters.content,
      ref: parameters.ref,
      dryRun: parameters.dry_run ?? false,
      includeJobs: parameters.include_jobs ?? false,
      inputs: parameters.inputs,
    });
    return present(facts);
  }

  @Get()
  @Endpoint({ summary: 'Check the project’s CI configuration', returns: LintResponse, errors: [401, 403, 404] })
  async file(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(LintFile) parameters: LintFile,
  ): Promise<LintResponse> {
    const facts = await this.services.ask(LintConfig, {
      projectId: project.id,
      actor: actorOf(signedIn(viewer)),
      contentRef: parameters.content_ref ?? parameters.sha,
      ref: parameters.dry_run_ref ?? parameters.ref,
      dryRun: parameters.dry_run ?? false,
      includeJobs: parameters.include_jobs ?? false,
      inputs: parameters.inputs,
    });
    return present(facts);
  }
}

function present({ valid, errors, warnings, mergedYaml, includes, jobs }: LintFacts): LintResponse {
  return { valid, errors, warnings, merged_yaml: mergedYaml, includes, ...(jobs && { jobs: jobs.map(presentJob) }) };
}

function presentJob(job: LintJobFacts): object {
  return {
    name: job.name,
    stage: job.stage,
    before_script: job.beforeScript,
    script: job.script,
    after_script: job.afterScript,
    tag_list: job.tagList,
    only: job.only,
    except: job.except,
    environment: job.environment,
    when: job.when,
    allow_failure: job.allowFailure,
    needs: job.needs,
  };
}
