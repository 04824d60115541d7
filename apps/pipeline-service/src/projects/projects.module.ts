import { Module } from '@nestjs/common';
import { ProtectedBranchesHandler } from '../protected-refs/protected-branches.handler.js';
import { ProtectedTagsHandler } from '../protected-refs/protected-tags.handler.js';
import { SettingsHandler } from '../settings/settings.handler.js';
import { VariablesHandler } from '../variables/variables.handler.js';
import { ProjectCreation } from './project-creation.js';
import { ProjectEditing } from './project-editing.js';
import { ProjectReader } from './project-reader.js';
import { ProjectRemoval } from './project-removal.js';
import { ProjectSources } from './project-sources.js';
import { ProjectSweeper } from './project-sweeper.js';
import { DeletedProjectsHandler, ProjectsHandler } from './projects.handler.js';

/** Projects: where their commits come from, who may see them, what their pipelines get. */
@Module({
  controllers: [
    ProjectsHandler,
    DeletedProjectsHandler,
    VariablesHandler,
    ProtectedBranchesHandler,
    ProtectedTagsHandler,
    SettingsHandler,
  ],
  providers: [ProjectReader, ProjectSources, ProjectCreation, ProjectEditing, ProjectRemoval, ProjectSweeper],
  exports: [ProjectReader],
})
export class ProjectsModule {}
