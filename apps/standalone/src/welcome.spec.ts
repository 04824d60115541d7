import { welcome } from './welcome.js';

describe('welcome', () => {
  it('ends with a line that can be pasted', () => {
    const demo = { projectId: 1, path: 'demo/app', repository: '/data/demo', ref: 'main', triggerToken: 'glptt-1234' };
    expect(welcome('http://127.0.0.1:8080', '/data/root-token', demo)).toBe(`
Flagfall is running.

  Page            http://127.0.0.1:8080/
  Root's token    in /data/root-token
  Project         demo/app (id 1), read from /data/demo

Start a pipeline:

  curl --request POST --form token=glptt-1234 --form ref=main http://127.0.0.1:8080/api/v4/projects/1/trigger/pipeline

Ctrl-C stops it.
`);
  });

  it('does without a demo', () => {
    expect(welcome('http://[::1]:1', '/data/root-token', undefined)).not.toContain('curl');
  });
});
