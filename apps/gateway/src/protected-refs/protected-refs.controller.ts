import { Controller, Delete, Get, Post } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import {
  AccessLevel,
  ListProtectedBranches,
  ListProtectedTags,
  ProtectBranch,
  type ProtectedBranchFacts,
  type ProtectedTagFacts,
  type ProtectionLevel,
  protectionLevels,
  ProtectTag,
  ShowProtectedBranch,
  ShowProtectedTag,
  UnprotectBranch,
  UnprotectTag,
} from '#libs/contracts';
import { Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { BooleanParameter, ChoiceParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';

const levels = protectionLevels.map(String);
const descriptions: Record<number, string> = {
  0: 'No one',
  30: 'Developers + Maintainers',
  40: 'Maintainers',
  60: 'Administrators',
};

class LevelResponse {
  @ApiProperty({ type: 'integer', enum: protectionLevels }) access_level!: number;
  @ApiProperty() access_level_description!: string;
}

class ProtectedBranchResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() name!: string;
  @ApiProperty({ type: [LevelResponse] }) push_access_levels!: LevelResponse[];
  @ApiProperty({ type: [LevelResponse] }) merge_access_levels!: LevelResponse[];
  @ApiProperty() allow_force_push!: boolean;
}

class ProtectedTagResponse {
  @ApiProperty() name!: string;
  @ApiProperty({ type: [LevelResponse] }) create_access_levels!: LevelResponse[];
}

class ThisName {
  @StringParameter({ required: true, blank: false, description: 'May hold `*`' }) name!: string;
}

class BranchProtection extends ThisName {
  @ChoiceParameter(levels) push_access_level?: string | null;
  @ChoiceParameter(levels) merge_access_level?: string | null;
  @BooleanParameter() allow_force_push?: boolean | null;
}

class TagProtection extends ThisName {
  @ChoiceParameter(levels) create_access_level?: string | null;
}

class Search {
  @StringParameter({ description: 'Part of the name' }) search?: string | null;
}

/** Branches that only some may push to, and run pipelines on. */
@Controller('projects/:id/protected_branches')
@Needs('manage-protected-refs')
export class ProtectedBranchesController {
  constructor(private readonly services: Services) {}

  @Get()
  @Endpoint({ summary: 'List protected branches', returns: [ProtectedBranchResponse], errors: [401, 403, 404] })
  async list(
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(Search) { search }: Search,
    @RequestedPage() page: Page,
  ): Promise<ProtectedBranchResponse[]> {
    const { items, total } = await this.services.ask(ListProtectedBranches, {
      projectId,
      search,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(items.map(presentBranch), { total });
  }

  @Get(':name')
  @Endpoint({ summary: 'Show a protected branch', returns: ProtectedBranchResponse, errors: [401, 403, 404] })
  async show(
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(ThisName) { name }: ThisName,
  ): Promise<ProtectedBranchResponse> {
    return presentBranch(await this.services.ask(ShowProtectedBranch, { projectId, name }));
  }

  @Post()
  @Endpoint({
    summary: 'Protect branches',
    success: 201,
    returns: ProtectedBranchResponse,
    errors: [401, 403, 404, 409],
  })
  async protect(
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(BranchProtection) parameters: BranchProtection,
  ): Promise<ProtectedBranchResponse> {
    const facts = await this.services.ask(ProtectBranch, {
      projectId,
      name: parameters.name,
      pushAccessLevel: level(parameters.push_access_level),
      mergeAccessLevel: level(parameters.merge_access_level),
      allowForcePush: parameters.allow_force_push ?? false,
    });
    return presentBranch(facts);
  }

  @Delete(':name')
  @Endpoint({ summary: 'Unprotect branches', success: 204, errors: [401, 403, 404] })
  async unprotect(
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(ThisName) { name }: ThisName,
  ): Promise<void> {
    await this.services.ask(UnprotectBranch, { projectId, name });
  }
}

/** Tags that only some may create, and run pipelines on. */
@Controller('projects/:id/protected_tags')
@Needs('manage-protected-refs')
export class ProtectedTagsController {
  constructor(private readonly services: Services) {}

  @Get()
  @Endpoint({ summary: 'List protected tags', returns: [ProtectedTagResponse], errors: [401, 403, 404] })
  async list(
    @Project() { id: projectId }: ProjectAddress,
    @RequestedPage() page: Page,
  ): Promise<ProtectedTagResponse[]> {
    const { items, total } = await this.services.ask(ListProtectedTags, {
      projectId,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(items.map(presentTag), { total });
  }

  @Get(':name')
  @Endpoint({ summary: 'Show a protected tag', returns: ProtectedTagResponse, errors: [401, 403, 404] })
  async show(
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(ThisName) { name }: ThisName,
  ): Promise<ProtectedTagResponse> {
    return presentTag(await this.services.ask(ShowProtectedTag, { projectId, name }));
  }

  @Post()
  @Endpoint({ summary: 'Protect tags', success: 201, returns: ProtectedTagResponse, errors: [401, 403, 404, 409] })
  async protect(
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(TagProtection) { name, create_access_level }: TagProtection,
  ): Promise<ProtectedTagResponse> {
    return presentTag(
      await this.services.ask(ProtectTag, { projectId, name, createAccessLevel: level(create_access_level) }),
    );
  }

  @Delete(':name')
  @Endpoint({ summary: 'Unprotect tags', success: 204, errors: [401, 403, 404] })
  async unprotect(
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(ThisName) { name }: ThisName,
  ): Promise<void> {
    await this.services.ask(UnprotectTag, { projectId, name });
  }
}

/** Maintainers where nothing is said, as in GitLab. */
function level(given: string | null | undefined): ProtectionLevel {
  return given == null ? AccessLevel.Maintainer : (Number(given) as ProtectionLevel);
}

function presentLevel(access_level: number): LevelResponse[] {
  return [{ access_level, access_level_description: descriptions[access_level] ?? '' }];
}

function presentBranch(facts: ProtectedBranchFacts): ProtectedBranchResponse {
  return {
    id: facts.id,
    name: facts.name,
    push_access_levels: presentLevel(facts.pushAccessLevel),
    merge_access_levels: presentLevel(facts.mergeAccessLevel),
    allow_force_push: facts.allowForcePush,
  };
}

function presentTag(facts: ProtectedTagFacts): ProtectedTagResponse {
  return { name: facts.name, create_access_levels: presentLevel(facts.createAccessLevel) };
}
