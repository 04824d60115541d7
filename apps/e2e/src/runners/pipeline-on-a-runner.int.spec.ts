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
