import { Module } from '@nestjs/common';

/** Projects: where their commits come from, who may see them, what their pipelines get. */
@Module({})
export class ProjectsModule {}
