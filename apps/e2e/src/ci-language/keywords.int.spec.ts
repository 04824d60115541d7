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
