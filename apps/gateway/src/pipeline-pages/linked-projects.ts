import { Injectable } from '@nestjs/common';
import type { LinkedPipeline } from '#libs/contracts';
import { refusalFor } from '../access/access.policy.js';
import { ProjectAddresses } from '../access/project-addresses.js';
import { onProject, type Viewer } from '../access/viewer.js';

/** Pipelines that are linked may be of projects that the viewer knows nothing of. */
@Injectable()
export class LinkedProjects {
  constructor(private readonly projects: ProjectAddresses) {}

  /** @returns those of these projects whose pipelines the viewer may see */
  async seenBy(viewer: Viewer, pipelines: readonly (LinkedPipeline | null)[]): Promise<ReadonlySet<number>> {
    const ids = [...new Set(pipelines.flatMap((pipeline) => pipeline?.projectId ?? []))];
    const found = await Promise.all(ids.map((id) => this.projects.find(String(id))));
    return new Set(ids.filter((id, index) => !refusalFor('read-pipelines', onProject(viewer, id), found[index])));
  }
}
