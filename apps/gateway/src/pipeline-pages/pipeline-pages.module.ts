import { Module } from '@nestjs/common';
import { JobPagesController } from './job-pages.controller.js';
import { LinkedProjects } from './linked-projects.js';
import { PipelinePagesController } from './pipeline-pages.controller.js';
import { RunFormController } from './run-form.controller.js';

/** What the pages read of pipelines and jobs. */
@Module({ controllers: [PipelinePagesController, JobPagesController, RunFormController], providers: [LinkedProjects] })
export class PipelinePagesModule {}
