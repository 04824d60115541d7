import { computed, type ComputedRef, type InjectionKey, inject, type ShallowRef } from 'vue';
import type { Project } from '../api/types.js';
import { Level, levelOn } from '../session/session.js';

export const projectKey: InjectionKey<Readonly<ShallowRef<Project>>> = Symbol('project');

export interface ProjectContext {
  project: Readonly<ShallowRef<Project>>;
  mayDevelop: ComputedRef<boolean>;
  mayMaintain: ComputedRef<boolean>;
}

/** The project of the page, and what its visitor may do there; only below the project's layout. */
export function useProject(): ProjectContext {
  const project = inject(projectKey);
  if (!project) throw new Error('This page is not part of a project');
  return {
    project,
    mayDevelop: computed(() => levelOn(project.value) >= Level.Developer),
    mayMaintain: computed(() => levelOn(project.value) >= Level.Maintainer),
  };
}
