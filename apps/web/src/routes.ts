import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router';
import { setTitle } from './layout/page-title.js';
import { session } from './session/session.js';

declare module 'vue-router' {
  interface RouteMeta {
    title: string;
    /** Shown to whoever is not signed in, too. */
    open?: boolean;
    /** Shown to administrators alone. */
    admin?: boolean;
  }
}

const project = (path: string, title: string, component: RouteRecordRaw['component']) =>
  ({ path, meta: { title }, component }) as RouteRecordRaw;

const routes: RouteRecordRaw[] = [
  {
    path: '/users/sign_in',
    meta: { title: 'Sign in', open: true },
    component: () => import('./session/sign-in-page.vue'),
  },
  { path: '/', meta: { title: 'Projects' }, component: () => import('./projects/projects-page.vue') },
  { path: '/projects/new', meta: { title: 'New project' }, component: () => import('./projects/new-project-page.vue') },
  {
    path: '/user_settings/access_tokens',
    meta: { title: 'Access tokens' },
    component: () => import('./users/own-access-page.vue'),
  },
  {
    path: '/admin/runners',
    meta: { title: 'Runners', admin: true },
    component: () => import('./runners/runners-page.vue'),
  },
  { path: '/admin/users', meta: { title: 'Users', admin: true }, component: () => import('./users/users-page.vue') },
  {
    path: '/admin/users/:userId(\\d+)',
    meta: { title: 'User', admin: true },
    component: () => import('./users/user-page.vue'),
  },
  {
    path: '/:path+/-',
    component: () => import('./layout/project-layout.vue'),
    children: [
      project('pipelines', 'Pipelines', () => import('./pipelines/pipelines-page.vue')),
      project('pipelines/new', 'Run pipeline', () => import('./pipelines/run-pipeline-page.vue')),
      project('pipelines/:pipelineId(\\d+)', 'Pipeline', () => import('./pipelines/pipeline-page.vue')),
      project('jobs', 'Jobs', () => import('./jobs/jobs-page.vue')),
      project('jobs/:jobId(\\d+)', 'Job', () => import('./jobs/job-page.vue')),
      project('trigger_requests', 'Trigger requests', () => import('./requests/requests-page.vue')),
      project('trigger_requests/:requestId', 'Trigger request', () => import('./requests/request-page.vue')),
      project('settings/ci_cd', 'CI/CD settings', () => import('./projects/ci-settings-page.vue')),
      project('edit', 'Project settings', () => import('./projects/project-settings-page.vue')),
    ],
  },
  // GitLab's project page; here a project is its pipelines.
  {
    path: '/:path+',
    meta: { title: 'Pipelines' },
    redirect: ({ path }) => `${path.replace(/\/$/, '')}/-/pipelines`,
  },
];

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
});

/** Begins to load the scripts of a page before it is gone to. */
export function loadPage(path: string): void {
  for (const { components } of router.resolve(path).matched) {
    const load = components?.['default'] as (() => Promise<unknown>) | undefined;
    // A page that cannot be loaded says so when it is gone to.
    void load?.().catch(() => undefined);
  }
}

router.beforeEach((to) => {
  if (to.meta.open || session.value) return true;
  return { path: '/users/sign_in', query: to.path === '/' ? {} : { from: to.fullPath } };
});

router.afterEach((to) => {
  const { path } = to.params;
  setTitle(to.meta.title, Array.isArray(path) ? path.join('/') : undefined);
});
