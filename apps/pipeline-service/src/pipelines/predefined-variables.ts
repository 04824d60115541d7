import type { Variable } from '#libs/ci-config';
import type { CommitFacts, PipelineSource } from '#libs/contracts';

/**
 * The variables that GitLab predefines (trigger-api.md §6.2), in the layers of ci-config.md §4.1 and split by the moment from which on they
 * are known (§4.4). Pure. What the compiler itself knows (`CI_JOB_NAME`, `CI_NODE_*`, `CI_PIPELINE_TRIGGERED`, …) is not here.
 */

/** This installation, as seen from outside. */
export interface Server {
  /** Without a slash at the end. */
  externalUrl: string;
  version: string;
  revision: string;
}

export interface ProjectIdentity {
  id: number;
  name: string;
  path: string;
  fullPath: string;
  namespaceId: number;
  description: string | null;
  visibility: string;
  defaultBranch: string;
  ciConfigPath: string;
}

export interface PipelineIdentity {
  iid: number | null;
  source: PipelineSource;
  ref: string;
  tag: boolean;
  tagMessage: string | null;
  protected: boolean;
  commit: CommitFacts;
  createdAt: string;
}

export interface UserIdentity {
  id: number;
  username: string;
  name: string;
  email?: string | null;
}

/** Forty zeros: what a triggered pipeline has before it (trigger-api.md §4.2). */
export const noSha = '0'.repeat(40);

const known = new WeakMap<Server, Variable[]>();

/** They are the same for every pipeline. */
export function serverVariables(server: Server): readonly Variable[] {
  let variables = known.get(server);
  if (!variables) known.set(server, (variables = describeServer(server)));
  return variables;
}

/** GitLab cuts versions in three; ours names the API that it speaks. */
function describeServer({ externalUrl, version, revision }: Server): Variable[] {
  const url = new URL(externalUrl);
  const protocol = url.protocol.replace(':', '');
  const [major = '', minor = '', patch = ''] = version.split('.');
  return pairs({
    CI: 'true',
    GITLAB_CI: 'true',
    CI_SERVER: 'yes',
    CI_SERVER_URL: externalUrl,
    CI_SERVER_HOST: url.hostname,
    CI_SERVER_PORT: url.port || (protocol === 'https' ? '443' : '80'),
    CI_SERVER_PROTOCOL: protocol,
    CI_SERVER_FQDN: url.host,
    CI_SERVER_NAME: 'GitLab',
    CI_SERVER_VERSION: version,
    CI_SERVER_VERSION_MAJOR: major,
    CI_SERVER_VERSION_MINOR: minor,
    CI_SERVER_VERSION_PATCH: patch,
    CI_SERVER_REVISION: revision,
    CI_API_V4_URL: `${externalUrl}/api/v4`,
  });
}

export function projectVariables(project: ProjectIdentity, { externalUrl }: Server): Variable[] {
  const namespace = project.fullPath.slice(0, project.fullPath.lastIndexOf('/'));
  return pairs({
    CI_PROJECT_ID: String(project.id),
    CI_PROJECT_NAME: project.path,
    CI_PROJECT_TITLE: project.name,
    CI_PROJECT_DESCRIPTION: project.description ?? '',
    CI_PROJECT_PATH: project.fullPath,
    CI_PROJECT_PATH_SLUG: slug(project.fullPath),
    CI_PROJECT_NAMESPACE: namespace,
    CI_PROJECT_NAMESPACE_ID: String(project.namespaceId),
    CI_PROJECT_ROOT_NAMESPACE: namespace.split('/')[0] ?? '',
    CI_PROJECT_URL: `${externalUrl}/${project.fullPath}`,
    CI_PROJECT_VISIBILITY: project.visibility,
    CI_DEFAULT_BRANCH: project.defaultBranch,
    CI_CONFIG_PATH: project.ciConfigPath,
  });
}

export function pipelineVariables(pipeline: PipelineIdentity): Variable[] {
  const { commit } = pipeline;
  const title = commit.message.split('\n', 1)[0] ?? '';
  return pairs({
    ...(pipeline.iid === null ? {} : { CI_PIPELINE_IID: String(pipeline.iid) }),
    CI_PIPELINE_SOURCE: pipeline.source,
    CI_PIPELINE_CREATED_AT: wholeSeconds(pipeline.createdAt),
    CI_COMMIT_SHA: commit.sha,
    CI_COMMIT_SHORT_SHA: commit.sha.slice(0, 8),
    CI_COMMIT_BEFORE_SHA: noSha,
    CI_COMMIT_REF_NAME: pipeline.ref,
    CI_COMMIT_REF_SLUG: slug(pipeline.ref),
    CI_COMMIT_REF_PROTECTED: String(pipeline.protected),
    ...(pipeline.tag
      ? { CI_COMMIT_TAG: pipeline.ref, CI_COMMIT_TAG_MESSAGE: pipeline.tagMessage ?? '' }
      : { CI_COMMIT_BRANCH: pipeline.ref }),
    CI_COMMIT_MESSAGE: commit.message,
    CI_COMMIT_TITLE: title,
    CI_COMMIT_DESCRIPTION: description(commit.message, title),
    CI_COMMIT_AUTHOR: `${commit.authorName} <${commit.authorEmail}>`,
    CI_COMMIT_TIMESTAMP: wholeSeconds(commit.committedAt),
  });
}

export function userVariables(user: UserIdentity): Variable[] {
  return pairs({
    GITLAB_USER_ID: String(user.id),
    GITLAB_USER_LOGIN: user.username,
    GITLAB_USER_NAME: user.name,
    GITLAB_USER_EMAIL: user.email ?? '',
  });
}

/** Times in variables have no fractions. */
function wholeSeconds(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z');
}

/** Lower case, everything but `a-z0-9` a dash, at most 63 characters, no dash at the ends (trigger-api.md §6.2). */
export function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
}

/** All of the message when its title is too long to be one, else what follows the title. */
function description(message: string, title: string): string {
  return title.length >= 100 ? message : message.slice(title.length).replace(/^\n+/, '');
}

function pairs(values: Record<string, string>): Variable[] {
  return Object.entries(values).map(([key, value]) => ({ key, value }));
}
