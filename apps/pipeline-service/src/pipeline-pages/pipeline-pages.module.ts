import { Module } from '@nestjs/common';
import { PipelinesModule } from '../pipelines/pipelines.module.js';
import { ProjectsModule } from '../projects/projects.module.js';
import { PipelinePagesHandler } from './pipeline-pages.handler.js';
import { RunFormHandler } from './run-form.handler.js';

/** What the pages read at once where the API has many calls. */
@Module({ imports: [ProjectsModule, PipelinesModule], controllers: [PipelinePagesHandler, RunFormHandler] })
export class PipelinePagesModule {}
