import { computed, shallowRef } from 'vue';
import { ApiError, get, post, remove, whenSignedOut } from '../api/http.js';
import type { Project, UserName } from '../api/types.js';

export interface Session {
  user: UserName & { admin: boolean };
  scopes: string[];
}

/** GitLab's access levels, as far as the pages ask for them. */
export const Level = { Developer: 30, Maintainer: 40, Owner: 50 } as const;

const current = shallowRef<Session | null>(null);

/** Who is signed in in this browser; null when nobody is. */
export const session = computed(() => current.value);

/** Asks the server who is signed in. @throws ApiError when it does not answer */
export async function restoreSession(): Promise<void> {
  try {
    current.value = await get<Session>('/-/session');
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
    current.value = null;
  }
}

/** @throws ApiError 401 when the token is no good */
export async function signIn(accessToken: string): Promise<void> {
  current.value = await post<Session>('/-/session', { access_token: accessToken });
}

export async function signOut(): Promise<void> {
  await remove('/-/session');
  current.value = null;
}

/** The level that the signed-in user has on a project, administrators being Owners of all. */
export function levelOn(project: Project | null): number {
  if (!project) return 0;
  if (session.value?.user.admin) return Level.Owner;
  return project.permissions?.project_access?.access_level ?? 0;
}

whenSignedOut(() => (current.value = null));
