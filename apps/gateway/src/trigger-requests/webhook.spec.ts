import { isPipelineHook, isWebhook, nothingToStart } from './webhook.js';

const zeros = '0'.repeat(40);

describe('webhooks', () => {
  it('are told by the headers of git hosts', () => {
    expect(isWebhook({ 'x-gitlab-event': 'Push Hook' })).toBe(true);
    expect(isWebhook({ 'x-github-event': 'push' })).toBe(true);
    expect(isWebhook({ 'user-agent': 'curl' })).toBe(false);
  });

  it('of pipelines start nothing, all others may', () => {
    expect(isPipelineHook({ 'x-gitlab-event': 'Pipeline Hook' })).toBe(true);
    expect(isPipelineHook({ 'x-gitlab-event': 'Push Hook' })).toBe(false);
    expect(isPipelineHook({ 'x-gitlab-event': 'pipeline hook' })).toBe(false);
  });

  it.each([
    ['a ping of GitHub', { 'x-github-event': 'ping' }, { zen: 'x', hook_id: 1 }, true, /ping/],
    ['a ping of GitHub without a ref in the URL', { 'x-github-event': 'ping' }, {}, false, /ping/],
    [
      'a deleted branch of GitLab',
      { 'x-gitlab-event': 'Push Hook' },
      { ref: 'refs/heads/a', after: zeros },
      false,
      /deleted/,
    ],
    [
      'a deleted tag of GitHub',
      { 'x-github-event': 'push' },
      { ref: 'refs/tags/a', after: zeros, deleted: true },
      false,
      /deleted/,
    ],
    ['a deletion event', { 'x-gitea-event': 'delete' }, { ref: 'a' }, false, /deleted/],
  ])('%s has nothing to start', (_, headers, sent, refInUrl, reason) => {
    expect(nothingToStart(headers, sent, refInUrl)).toMatch(reason);
  });

  it.each([
    ['a push', { 'x-gitlab-event': 'Push Hook' }, { ref: 'refs/heads/a', after: '1'.repeat(40) }, false],
    ['a deletion elsewhere, as in GitLab', { 'x-gitlab-event': 'Push Hook' }, { ref: 'main', after: zeros }, true],
    ['an ordinary call', {}, { ref: 'main' }, false],
  ])('%s has something to start', (_, headers, sent, refInUrl) => {
    expect(nothingToStart(headers, sent, refInUrl)).toBeNull();
  });
});
