import { Module } from '@nestjs/common';
import { PipelinePagesHandler } from './pipeline-pages.handler.js';

/** What the pages read at once where the API has many calls. */
@Module({ controllers: [PipelinePagesHandler] })
export class PipelinePagesModule {}
