import { join } from 'node:path';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { Runner } from '../../../runner/src/runner.js';
import { Workshop } from '../testing/workshop.js';

/** The example of GitLab's documentation: three stages, the last one only on demand. */
const threeStages = `
build: { stage: build, script: [make] }
test: { stage: test, script: [make test] }
package: { stage: deploy, script: [make package], rules: [{ if: $UPLOAD_TO_S3 == "true" }] }
`;
const makefile = 'all:\n\t@echo built\ntest:\n\t@echo tested\npackage:\n\t@echo uploaded by $(CI_PIPELINE_SOURCE)\n';

let workshop: Workshop;
let runner: Runner;

beforeAll(async () => {
  workshop = await Workshop.open('runs');
  runner = new Runner({
    url: workshop.url,
    token: await workshop.newRunner(),
    buildsDir: join(workshop.directory, 'builds'),
    concurrency: 2,
    say: () => undefined,
  });
  runner.start();
}, 60_000);
afterAll(async () => {
  await runner?.stop(0);
  await workshop?.close();
});

const log = (projectId: number, jobId: number) => workshop.must('GET', `/projects/${projectId}/jobs/${jobId}/trace`);

it('runs the three stages, and the log of each job can be read', async () => {
  const project = await workshop.newProject('three', { '.gitlab-ci.yml': threeStages, Makefile: makefile });
  const pipelineId = await workshop.trigger(project, 'main', { UPLOAD_TO_S3: 'true' });
  await until(
    'the pipeline to succeed',
    async () => (await workshop.pipelineStatus(project, pipelineId)) === 'success',
    30_000,
  );
  const jobs = await workshop.jobs(project, pipelineId);
  expect(await log(project.id, jobs.build.id)).toContain('built');
  expect(await log(project.id, jobs.test.id)).toContain('tested');
  expect(await log(project.id, jobs.package.id)).toContain('uploaded by trigger');
  expect(jobs.build).toMatchObject({ status: 'success', runner: { runner_type: 'instance_type', is_shared: true } });
  expect(new Date(jobs.test.started_at) >= new Date(jobs.build.finished_at)).toBe(true);
}, 60_000);

it('gives a job its variables as GitLab’s runner would expand them, and hides its token', async () => {
  const configuration = `
    job:
      variables:
        DIRECTORY: $CI_PROJECT_DIR/cache
        ADDRESS: see $CI_PIPELINE_URL
        SHIELDED: $$HOME
        NOTHING: "[$NOBODY_KNOWS]"
      script:
        - printf '%s\\n' "$DIRECTORY" "$ADDRESS" "$SHIELDED" "$NOTHING" "$FROM_CALLER" "$CI_COMMIT_TITLE"
        - test "$DIRECTORY" = "$PWD/cache" && echo same directory
        - echo "token $CI_JOB_TOKEN"
        - git log -1 --format=%D`;
  const project = await workshop.newProject('variables', { '.gitlab-ci.yml': configuration });
  await project.repository.commit({ a: '1' }, 'Costs $5, or $HOME');
  const pipelineId = await workshop.trigger(project, 'main', { FROM_CALLER: '$CI_COMMIT_BRANCH and 5$ each' });
  await until('the pipeline to end', async () => {
    const status = await workshop.pipelineStatus(project, pipelineId);
    return status === 'success' || status === 'failed';
  });
  const { job } = await workshop.jobs(project, pipelineId);
  const text = await log(project.id, job.id);
  for (const line of [
    'same directory',
    `see ${workshop.url}/${project.path}/-/pipelines/${pipelineId}`,
    '$HOME',
    '[]',
    'main and 5$ each',
    'Costs $5, or $HOME',
    'token [MASKED]',
    'HEAD, origin/main',
  ])
    expect(text.split('\n')).toContainEqual(expect.stringContaining(line) as string);
  expect(text).not.toContain('glcbt-');
  expect(job.status).toBe('success');
}, 60_000);

it('stops a job that is canceled, after its after_script', async () => {
  const configuration = `
    job:
      script: [echo started, sleep 600]
      after_script: ['echo "ended as $CI_JOB_STATUS"']`;
  const project = await workshop.newProject('canceled', { '.gitlab-ci.yml': configuration });
  const pipelineId = await workshop.trigger(project);
  const { job } = await workshop.jobs(project, pipelineId);
  await until('the job to have begun', async () => (await log(project.id, job.id)).includes('started\n'), 20_000);
  await workshop.must('POST', `/projects/${project.id}/jobs/${job.id}/cancel`);
  await until(
    'the job to be canceled',
    async () => (await workshop.pipelineStatus(project, pipelineId)) === 'canceled',
    30_000,
  );
  expect(await log(project.id, job.id)).toContain('ended as canceled');
}, 60_000);
