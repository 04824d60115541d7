import { Controller, Get, Post } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { LintConfig, type LintFacts, type LintIncludeFacts, type LintJobFacts } from '#libs/contracts';
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

class IncludeExtra {
  @ApiProperty({ required: false }) project?: string;
  @ApiProperty({ required: false }) ref?: string;
}

class IncludeResponse {
  @ApiProperty({ enum: ['local', 'file'], description: '`file` is one of another project' }) type!: string;
  @ApiProperty() location!: string;
  @ApiProperty({ type: 'string', nullable: true, description: 'No page here shows files' }) blob!: null;
  @ApiProperty({ type: 'string', nullable: true }) raw!: null;
  @ApiProperty({ type: IncludeExtra }) extra!: IncludeExtra;
  @ApiProperty() context_project!: string;
  @ApiProperty({ type: 'string', nullable: true }) context_sha!: string | null;
}

class ProblemResponse {
  @ApiProperty({ description: 'In GitLab’s words' }) message!: string;
  @ApiProperty({ type: 'string', nullable: true, example: 'build.rules.0.if' }) path!: string | null;
  @ApiProperty({ type: 'integer', nullable: true }) line!: number | null;
  @ApiProperty({ type: 'string', nullable: true, description: 'The included file in which the line is' })
  file!: string | null;
}

class LeftOutResponse {
  @ApiProperty() name!: string;
  @ApiProperty({ example: 'rules: if: $CI_COMMIT_TAG, when: never' }) rule!: string;
}

class LintResponse {
  @ApiProperty() valid!: boolean;
  @ApiProperty({ type: [String] }) errors!: string[];
  @ApiProperty({ type: [String] }) warnings!: string[];
  @ApiProperty({ type: 'string', nullable: true }) merged_yaml!: string | null;
  @ApiProperty({ type: [IncludeResponse] }) includes!: IncludeResponse[];
  @ApiProperty({ type: 'array', items: free, required: false }) jobs?: object[];
  @ApiProperty({
    type: [LeftOutResponse],
    required: false,
    description: 'With `dry_run` and `include_jobs`: the jobs that the pipeline would not have, and why',
  })
  jobs_left_out?: LeftOutResponse[];
  @ApiProperty({
    type: [ProblemResponse],
    required: false,
    description: 'Only where something is wrong: the errors with their places',
  })
  problems?: ProblemResponse[];
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

/** Beyond GitLab's own fields only what was asked for, or what is wrong. */
function present(facts: LintFacts): LintResponse {
  const { valid, errors, warnings, mergedYaml, includes, jobs, leftOut, problems } = facts;
  return {
    valid,
    errors,
    warnings,
    merged_yaml: mergedYaml,
    includes: includes.map(presentInclude),
    ...(jobs && { jobs: jobs.map(presentJob) }),
    ...(jobs && leftOut && { jobs_left_out: leftOut.map(({ job, rule }) => ({ name: job, rule })) }),
    ...(problems.length > 0 && {
      problems: problems.map(({ path, ...problem }) => ({ ...problem, path: path && path.join('.') })),
    }),
  };
}

function presentInclude({
  type,
  location,
  project,
  ref,
  contextProject,
  contextSha,
}: LintIncludeFacts): IncludeResponse {
  return {
    type,
    location,
    blob: null,
    raw: null,
    extra: { ...(project !== null && { project }), ...(ref !== null && { ref }) },
    context_project: contextProject,
    context_sha: contextSha,
  };
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
