// needs: rabbitmq
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Gitlab } from '@gitbeaker/rest';
import { type Installation, startInstallation } from '../installation.js';
import { type Project, Verbs } from '../verbs.js';

const run = promisify(execFile);
const files = { '.gitlab-ci.yml': 'job: {script: [make]}\n' };

let installation: Installation;
let verbs: Verbs;
let project: Project;

beforeAll(async () => {
  installation = await startInstallation({ name: 'clients' });
  verbs = await Verbs.of(installation);
  project = await verbs.newProject({ files });
}, 90_000);
afterAll(() => installation?.stop(), 60_000);

test('@gitbeaker/rest makes a trigger, starts a pipeline with variables, reads and cancels it', async () => {
  const api = new Gitlab({ host: installation.url, token: installation.rootToken });
  expect((await api.Projects.show(project.path)).id).toBe(project.id);
  const trigger = await api.PipelineTriggerTokens.create(project.id, 'gitbeaker');
  const started = await api.PipelineTriggerTokens.trigger(project.id, 'main', trigger.token, { variables: { A: '1' } });
  expect(started).toMatchObject({ source: 'trigger', ref: 'main' });
  expect(await api.Pipelines.allVariables(project.id, started.id)).toEqual(
    expect.arrayContaining([expect.objectContaining({ key: 'A', value: '1' })]),
  );
  expect((await api.Jobs.all(project.id, { pipelineId: started.id })).map(({ name }) => name)).toEqual(['job']);
  expect((await api.Pipelines.cancel(project.id, started.id)).status).toBe('canceled');
  expect((await api.PipelineTriggerTokens.all(project.id)).map(({ description }) => description)).toContain(
    'gitbeaker',
  );
  await api.PipelineTriggerTokens.remove(project.id, trigger.id);
  await expect(api.PipelineTriggerTokens.trigger(project.id, 'main', trigger.token)).rejects.toThrow('Not Found');
});

const script = `
import sys, gitlab
url, token, project_id = sys.argv[1:]
gl = gitlab.Gitlab(url, private_token=token)
gl.auth()
assert gl.user.username == 'root', gl.user
assert gl.version()[0], gl.version()
project = gl.projects.get(int(project_id))
trigger = project.triggers.create({'description': 'python'})
pipeline = project.trigger_pipeline('main', trigger.token, variables={'B': '2'})
assert pipeline.source == 'trigger', pipeline
assert {'B', 'TRIGGER_PAYLOAD'} <= {v.key for v in pipeline.variables.list()}
jobs = pipeline.jobs.list(include_retried=True)
assert [job.name for job in jobs] == ['job'], jobs
project.jobs.get(jobs[0].id).cancel()
assert project.pipelines.get(pipeline.id).status == 'canceled'
trigger.description = 'renamed'
trigger.save()
assert project.triggers.get(trigger.id).description == 'renamed'
trigger.delete()
try:
    project.trigger_pipeline('main', trigger.token)
    raise SystemExit('a revoked token started a pipeline')
except gitlab.GitlabCreateError as error:
    assert error.response_code == 404, error
except gitlab.GitlabHttpError as error:
    assert error.response_code == 404, error
print('done')
`;

// Debian's package, which CI installs; on a machine without it the other client has to do.
const hasPythonGitlab = spawnSync('/usr/bin/python3', ['-c', 'import gitlab']).status === 0;
const testPython = hasPythonGitlab || process.env.CI ? test : test.skip;

testPython('python-gitlab does the same', async () => {
  const { stdout } = await run('/usr/bin/python3', [
    '-c',
    script,
    installation.url,
    installation.rootToken,
    String(project.id),
  ]);
  expect(stdout.trim()).toBe('done');
});
