import { join } from 'node:path';
import { demoBranch, makeDemoRepository } from './demo-repository.js';
import type { DataDirectory } from './data-directory.js';
import type { GatewayClient } from './gateway-client.js';

/** The demo project as it is announced. */
export interface Demo {
  projectId: number;
  path: string;
  repository: string;
  ref: string;
  triggerToken: string;
}

interface ProjectAnswer {
  id: number;
  path_with_namespace: string;
}

const demoPath = 'demo/app';

/** Where the demo's repository is; the one place in the data directory that a project may be read from. */
export function demoRepository(data: DataDirectory): string {
  return join(data.path, 'demo');
}

/**
 * Gives an installation without projects the project `demo/app` with a repository of its own and a trigger token, through the HTTP API.
 * The token is kept in the file `demo-token`, which also says that this was done: a demo that somebody deleted stays deleted.
 *
 * @returns undefined when there is none, because somebody deleted it or the installation already had projects
 * @throws CallRefused when the API says no
 */
export async function provideDemo(data: DataDirectory, client: GatewayClient): Promise<Demo | undefined> {
  const repository = demoRepository(data);
  let project = await client.find<ProjectAnswer>(`/projects/${encodeURIComponent(demoPath)}`);
  let triggerToken = data.readSecret('demo-token');
  if (triggerToken === undefined) {
    const projects = await client.get<ProjectAnswer[]>('/projects?per_page=2');
    // Only the demo: an earlier start was interrupted after it had made the project.
    if (projects.some(({ path_with_namespace }) => path_with_namespace !== demoPath)) return undefined;
    await makeDemoRepository(repository);
    project ??= await client.post<ProjectAnswer>('/projects', {
      name: 'app',
      path: 'app',
      namespace: 'demo',
      import_url: repository,
      default_branch: demoBranch,
    });
    const { token } = await client.post<{ token: string }>(`/projects/${project.id}/triggers`, {
      description: 'The demo of npm start',
    });
    data.writeSecret('demo-token', token);
    triggerToken = token;
  }
  return project && { projectId: project.id, path: demoPath, repository, ref: demoBranch, triggerToken };
}
