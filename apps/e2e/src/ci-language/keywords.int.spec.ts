// needs: rabbitmq, postgresql
import { startsFlagfall } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

/** What keywords do to jobs that really run: one branch for each story. */
const branches: Record<string, string> = {
  family: `
build:
  stage: build
  script: [echo from the parent > out.txt, 'echo "FLAVOUR=sweet" > out.env']
  artifacts: { paths: [out.txt], reports: { dotenv: out.env } }
family:
  stage: test
  variables: { PARENT: $CI_PIPELINE_ID, TASTE: $FLAVOUR }
  trigger: { include: child.yml, strategy: depend }
`,
  stranger: `
use: { script: [cat out.txt], needs: [{ pipeline: $OTHER, job: build }] }
`,
  deploys: `
deploy:
  stage: deploy
  script: ['echo "to $CI_ENVIRONMENT_NAME ($CI_ENVIRONMENT_SLUG, $CI_ENVIRONMENT_TIER) at $CI_ENVIRONMENT_URL to $CI_ENVIRONMENT_ACTION, with $KEY"']
  environment: { name: review/$WHO, url: 'https://$CI_ENVIRONMENT_SLUG.example.com/$WHO', on_stop: stop }
stop:
  stage: deploy
  needs: [deploy]
  script: [echo stopped]
  when: manual
  environment: { name: review/$WHO, action: stop }
`,
  misdeploys: `
nowhere: { script: ['true'], environment: { name: $NOT_THERE } }
odd: { script: ['true'], environment: { name: 'review/$ODD' } }
trap: { script: ['true'], environment: { name: trap, url: 'javascript:alert(1)' } }
`,
  delayed: `
build: { stage: build, script: [echo built] }
later: { stage: test, script: [echo later], when: delayed, start_in: 2 seconds }
far: { stage: deploy, script: [echo far], when: delayed, start_in: 1 week }
`,
  retried: `
flaky: { script: ['exit 7'], retry: { max: 2, exit_codes: [7] } }
stubborn: { script: ['exit 8'], retry: { max: 2, exit_codes: [7] } }
tolerated: { script: ['exit 9'], allow_failure: { exit_codes: 9 } }
measured: { script: [echo covered 87.5%], coverage: '/covered (\\d+\\.\\d+)%/' }
impatient: { script: [sleep 30], timeout: 2 seconds }
`,
};
const child = `
use: { script: [cat out.txt, 'echo "tastes $TASTE and $FLAVOUR"'], needs: [{ pipeline: $PARENT, job: build }] }
`;

const flagfall = startsFlagfall({ name: 'keywords' });
let app: Project;

beforeAll(async () => {
  app = await flagfall.newProject({ files: { 'child.yml': child } });
  for (const [branch, config] of Object.entries(branches)) {
    await app.repository.git('checkout', '--quiet', '-b', branch, 'main');
    await app.repository.commit({ '.gitlab-ci.yml': config });
  }
  await flagfall.startRunner({ concurrency: 2 });
});

describe('needs of another pipeline', () => {
  it('bring a child the artifacts and variables of its parent', async () => {
    const { id } = await app.trigger('family');
    await app.pipelineIs(id, 'success');
    const [{ downstream_pipeline: downstream }] = await app.get(`/pipelines/${id}/bridges`);
    const log = await app.log(downstream.id, 'use');
    expect(log).toContain('from the parent\n');
    expect(log).toContain('tastes sweet and sweet\n');

    const other = await app.trigger('stranger', { OTHER: String(id) });
    await app.pipelineIs(other.id, 'failed');
    expect((await app.jobs(other.id))['use']).toMatchObject({ failure_reason: 'missing_dependency_failure' });
  });
});

describe('environment', () => {
  it('is told to the job, recorded, and stopped', async () => {
    await app.post('/variables', { key: 'KEY', value: 'of reviews', environment_scope: 'review/*' });
    const { id } = await app.trigger('deploys', { WHO: 'Ada' });
    await app.jobIs(id, 'deploy', 'success');
    const [environment] = await app.get('/environments');
    expect(environment).toEqual({
      id: expect.any(Number),
      name: 'review/Ada',
      slug: expect.stringMatching(/^review-ada-[a-z0-9]{6}$/),
      external_url: `https://${environment.slug}.example.com/Ada`,
      created_at: expect.any(String),
      updated_at: expect.any(String),
      state: 'available',
      tier: 'development',
    });
    expect(await app.log(id, 'deploy')).toContain(
      `to review/Ada (${environment.slug}, development) at ${environment.external_url} to start, with of reviews\n`,
    );
    await app.order(id, 'stop', 'play');
    await app.jobIs(id, 'stop', 'success');
    expect(await app.get(`/environments/${environment.id}`)).toMatchObject({ state: 'stopped' });
    expect(await app.get('/environments?states=available')).toEqual([]);
    expect(await app.get('/environments?search=ADA')).toMatchObject([{ name: 'review/Ada' }]);
  });

  it('is not made of what its variables make no name, and leads nowhere but to an address', async () => {
    const { id } = await app.trigger('misdeploys', { ODD: '<b>' });
    for (const name of ['nowhere', 'odd']) {
      await app.jobIs(id, name, 'failed');
      expect((await app.jobs(id))[name]).toMatchObject({ failure_reason: 'environment_creation_failure' });
    }
    await app.jobIs(id, 'trap', 'success');
    expect(await app.get('/environments?states=available')).toMatchObject([{ name: 'trap', external_url: null }]);
  });
});

describe('when: delayed', () => {
  it('waits for its time, or for a person', async () => {
    const { id } = await app.trigger('delayed');
    await app.jobIs(id, 'later', 'scheduled');
    expect((await app.pipeline(id)).status).toBe('scheduled');
    const later = await app.jobIs(id, 'later', 'success');
    const build = (await app.jobs(id))['build'];
    expect(Date.parse(later.started_at) - Date.parse(build.finished_at)).toBeGreaterThanOrEqual(2_000);
    await app.jobIs(id, 'far', 'scheduled');
    expect(await app.order(id, 'far', 'play')).toMatchObject({ status: 'pending' });
    await app.pipelineIs(id, 'success');
  });
});

describe('retry, allow_failure, coverage and timeout', () => {
  it('do what they say', async () => {
    const { id } = await app.trigger('retried');
    await app.pipelineIs(id, 'failed');
    const all = await app.get(`/pipelines/${id}/jobs?include_retried=true&per_page=100`);
    const attempts = (name: string) => all.filter((job: { name: string }) => job.name === name).length;
    expect([attempts('flaky'), attempts('stubborn'), attempts('tolerated')]).toEqual([3, 1, 1]);
    const jobs = await app.jobs(id);
    expect(jobs['tolerated']).toMatchObject({ status: 'failed', allow_failure: true });
    expect(jobs['measured']).toMatchObject({ status: 'success', coverage: 87.5 });
    expect(jobs['impatient']).toMatchObject({ status: 'failed', failure_reason: 'job_execution_timeout' });
  });
});
