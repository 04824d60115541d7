import { pipelineVariables, projectVariables, serverVariables, slug, userVariables } from './predefined-variables.js';

const server = { externalUrl: 'https://ci.example.com:8443/sub', version: '18.2.0', revision: 'x' };
const valuesOf = (variables: readonly { key: string; value: string }[]) =>
  Object.fromEntries(variables.map(({ key, value }) => [key, value]));
const commit = {
  sha: '2f1e9c0d6b7a8f5e4d3c2b1a09f8e7d6c5b4a392',
  parentIds: [],
  message: 'Title\n\nBody\n',
  authorName: 'Ada',
  authorEmail: 'ada@example.com',
  authoredAt: '2026-01-01T10:00:00.000Z',
  committerName: 'Bob',
  committerEmail: 'bob@example.com',
  committedAt: '2026-01-02T10:00:00.000Z',
};

describe('predefined variables', () => {
  it('tell of the server', () => {
    expect(valuesOf(serverVariables(server))).toMatchObject({
      CI: 'true',
      CI_SERVER_URL: 'https://ci.example.com:8443/sub',
      CI_SERVER_HOST: 'ci.example.com',
      CI_SERVER_PORT: '8443',
      CI_SERVER_PROTOCOL: 'https',
      CI_SERVER_FQDN: 'ci.example.com:8443',
      CI_SERVER_VERSION_MAJOR: '18',
      CI_API_V4_URL: 'https://ci.example.com:8443/sub/api/v4',
    });
    expect(valuesOf(serverVariables({ ...server, externalUrl: 'http://ci' }))).toMatchObject({ CI_SERVER_PORT: '80' });
  });

  it('tell of the project', () => {
    const project = {
      id: 9,
      name: 'My App',
      path: 'app',
      fullPath: 'Group/sub/app',
      namespaceId: 3,
      description: null,
      visibility: 'private',
      defaultBranch: 'main',
      ciConfigPath: '.gitlab-ci.yml',
    };
    expect(valuesOf(projectVariables(project, server))).toMatchObject({
      CI_PROJECT_NAME: 'app',
      CI_PROJECT_TITLE: 'My App',
      CI_PROJECT_PATH_SLUG: 'group-sub-app',
      CI_PROJECT_NAMESPACE: 'Group/sub',
      CI_PROJECT_ROOT_NAMESPACE: 'Group',
      CI_PROJECT_URL: 'https://ci.example.com:8443/sub/Group/sub/app',
    });
  });

  it('tell of branch pipelines and tag pipelines', () => {
    const pipeline = {
      iid: null,
      source: 'trigger' as const,
      ref: 'Feature/X',
      tag: false,
      tagMessage: null,
      protected: false,
      commit,
      createdAt: '2026-01-07T09:53:58.235Z',
    };
    const branch = valuesOf(pipelineVariables(pipeline));
    expect(branch).toMatchObject({
      CI_PIPELINE_SOURCE: 'trigger',
      CI_COMMIT_SHORT_SHA: '2f1e9c0d',
      CI_COMMIT_BRANCH: 'Feature/X',
      CI_COMMIT_REF_SLUG: 'feature-x',
      CI_COMMIT_TITLE: 'Title',
      CI_COMMIT_DESCRIPTION: 'Body\n',
      CI_COMMIT_AUTHOR: 'Ada <ada@example.com>',
      CI_COMMIT_BEFORE_SHA: '0'.repeat(40),
    });
    expect(branch).not.toHaveProperty('CI_COMMIT_TAG');
    expect(branch).not.toHaveProperty('CI_PIPELINE_IID');
    const tag = valuesOf(pipelineVariables({ ...pipeline, iid: 4, tag: true, tagMessage: 'One' }));
    expect(tag).toMatchObject({ CI_COMMIT_TAG: 'Feature/X', CI_COMMIT_TAG_MESSAGE: 'One', CI_PIPELINE_IID: '4' });
    expect(tag).not.toHaveProperty('CI_COMMIT_BRANCH');
  });

  it('tell of the user', () => {
    expect(valuesOf(userVariables({ id: 1, username: 'ada', name: 'Ada', email: null }))).toEqual({
      GITLAB_USER_ID: '1',
      GITLAB_USER_LOGIN: 'ada',
      GITLAB_USER_NAME: 'Ada',
      GITLAB_USER_EMAIL: '',
    });
  });

  it.each([
    ['Feature/X', 'feature-x'],
    ['-a-', 'a'],
    ['ü', ''],
    [`${'a'.repeat(62)}-b`, 'a'.repeat(62)],
  ])('the slug of %s is %s', (text, expected) => {
    expect(slug(text)).toBe(expected);
  });
});
