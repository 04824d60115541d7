import { Module } from '@nestjs/common';
import { LinkedProjects } from './linked-projects.js';
import { PipelinePagesController } from './pipeline-pages.controller.js';

/** What the pages read of pipelines and jobs. */
@Module({ controllers: [PipelinePagesController], providers: [LinkedProjects] })
export class PipelinePagesModule {}
