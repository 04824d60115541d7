import type { Variable } from '#libs/ci-config';
import type { ProjectForCreation } from '../projects/project-reader.js';
import type { ProjectIdentity } from './predefined-variables.js';

/** A project as the predefined variables tell of it. */
export function projectIdentity(project: ProjectForCreation): ProjectIdentity {
  return {
    id: project.id,
    name: project.name,
    path: project.slug,
    fullPath: project.path,
    namespaceId: project.namespace.id,
    description: project.description,
    visibility: project.visibility,
    defaultBranch: project.defaultBranch,
    ciConfigPath: project.ciConfigPath ?? '.gitlab-ci.yml',
  };
}

/** The project's own variables that a pipeline gets: protected ones only on a protected ref, those of one environment not here (ci-config.md §4.1). */
export function settingsVariables(project: ProjectForCreation, protectedRef: boolean): Variable[] {
  return project.variables
    .filter((variable) => (protectedRef || !variable.protected) && variable.environmentScope === '*')
    .map(({ key, value, raw, variableType }) => ({ key, value, raw, file: variableType === 'file' }));
}
