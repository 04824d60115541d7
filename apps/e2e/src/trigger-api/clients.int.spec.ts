// needs: rabbitmq, postgresql
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Gitlab } from '@gitbeaker/rest';
import { type Person, startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';
import { zip } from '../testing/zip.js';

const flagfall = startsFlagfall({ name: 'clients' });
const run = promisify(execFile);
const programLimitMs = 60_000;

let app: Project;
let ada: Person;
let trigger: Trigger;

const config = 'build: {script: [make]}\napprove: {script: [make], when: manual}\n';

/** Real clients, which nobody told about us. */
beforeAll(async () => {
  app = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
  await app.repository.git('branch', 'feature/x');
  ada = await flagfall.newUser('ada');
  await flagfall.join(app, ada, 50);
  trigger = await flagfall.newTrigger(app, ada);
});

const variablesOf = async (pipelineId: number) =>
  Object.fromEntries(
    (await flagfall.root({ path: `/projects/${app.id}/pipelines/${pipelineId}/variables` })).map(
      ({ key, value }: { key: string; value: string }) => [key, value],
    ),
  ) as Record<string, string>;

/** A project of its own with a job that succeeded and left an archive. */
async function archived(): Promise<{ project: Project; jobId: number }> {
  const project = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}' } });
  await flagfall.join(project, ada, 50);
  await project.trigger();
  const runner = await flagfall.newRunner({ project });
  const job = await runner.start();
  await runner.log(job, 'hello\n');
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(await zip({ 'dist/a file.txt': 'inside' }))]), 'artifacts.zip');
  const headers = { 'JOB-TOKEN': job.token };
  const url = `${flagfall.url}/api/v4/jobs/${job.id}/artifacts?expire_in=1+week`;
  expect((await fetch(url, { method: 'POST', headers, body: form })).status).toBe(201);
  await runner.end(job, 'success');
  return { project, jobId: job.id };
}

describe('curl', () => {
  const curl = async (...args: string[]) => {
    const { stdout } = await run('curl', ['--silent', '--show-error', ...args], { timeout: programLimitMs });
    return JSON.parse(stdout);
  };
  const url = () => `${flagfall.url}/api/v4/projects/${app.id}`;

  it('--form, as the documentation has it', async () => {
    const form = (pair: string) => ['--form', pair];
    const pipeline = await curl(
      '--request',
      'POST',
      ...form(`token=${trigger.token}`),
      ...form('ref=main'),
      ...form('variables[UPLOAD_TO_S3]=true'),
      `${url()}/trigger/pipeline`,
    );
    expect(pipeline).toMatchObject({ source: 'trigger', ref: 'main', user: { username: 'ada' } });
    expect(await variablesOf(pipeline.id)).toMatchObject({ UPLOAD_TO_S3: 'true' });
  });

  it('a query string, as the documentation has it', async () => {
    const query = `token=${trigger.token}&ref=main&variables[A]=1`;
    const pipeline = await curl('--globoff', '--request', 'POST', `${url()}/trigger/pipeline?${query}`);
    expect(await variablesOf(pipeline.id)).toMatchObject({ A: '1' });
  });

  it('--data-urlencode', async () => {
    const pairs = [`token=${trigger.token}`, 'ref=feature/x', 'variables[TEXT]=a & b = c'];
    const data = pairs.flatMap((pair) => ['--data-urlencode', pair]);
    const pipeline = await curl(...data, `${url()}/trigger/pipeline`);
    expect(pipeline.ref).toBe('feature/x');
    expect(await variablesOf(pipeline.id)).toMatchObject({ TEXT: 'a & b = c' });
  });

  it('a webhook, with a payload as JSON', async () => {
    const pipeline = await curl(
      '--globoff',
      '--header',
      'Content-Type: application/json',
      '--header',
      'X-Gitlab-Event: Push Hook',
      '--data',
      '{"object_kind":"push","ref":"refs/heads/dev"}',
      `${url()}/ref/main/trigger/pipeline?token=${trigger.token}&variables[UPLOAD_TO_S3]=true`,
    );
    expect(pipeline.ref).toBe('main');
    expect(JSON.parse((await variablesOf(pipeline.id))['TRIGGER_PAYLOAD'] ?? '')).toEqual({
      variables: { UPLOAD_TO_S3: 'true' },
      object_kind: 'push',
      ref: 'main',
      id: String(app.id),
    });
  });

  it('--fail makes a refusal an exit code', async () => {
    const args = ['--silent', '--fail', '--form', 'token=wrong', '--form', 'ref=main', `${url()}/trigger/pipeline`];
    await expect(run('curl', args, { timeout: programLimitMs })).rejects.toMatchObject({ code: 22 });
  });
});

describe('@gitbeaker/rest', () => {
  const client = () => new Gitlab({ host: flagfall.url, token: ada.token });

  it('triggers with variables, which it sends as multipart', async () => {
    const pipeline = await client().PipelineTriggerTokens.trigger(app.id, 'feature/x', trigger.token, {
      variables: { COLOUR: 'red' },
    });
    expect(pipeline).toMatchObject({ ref: 'feature/x', source: 'trigger' });
    expect(await variablesOf(pipeline.id)).toMatchObject({ COLOUR: 'red' });
  });

  it('triggers without variables, by the project’s path', async () => {
    const pipeline = await client().PipelineTriggerTokens.trigger(app.path, 'main', trigger.token);
    expect(pipeline).toMatchObject({ ref: 'main', project_id: app.id });
  });

  it('manages trigger tokens', async () => {
    const { PipelineTriggerTokens: tokens } = client();
    const made = await tokens.create(app.id, 'from gitbeaker');
    expect(made.token).toMatch(/^glptt-[0-9a-f]{40}$/);
    expect(await tokens.show(app.id, made.id)).toMatchObject({ description: 'from gitbeaker' });
    expect(await tokens.edit(app.id, made.id, { description: 'renamed' })).toMatchObject({ description: 'renamed' });
    await tokens.remove(app.id, made.id);
    await expect(tokens.show(app.id, made.id)).rejects.toThrow('404 Not found');
  });

  it('follows pages to the end', async () => {
    const { PipelineTriggerTokens: tokens } = client();
    for (let number = 1; number <= 5; number++) await tokens.create(app.id, `number ${number}`);
    const all = await tokens.all(app.id, { perPage: 2 });
    expect(all.map(({ description }) => description)).toEqual(expect.arrayContaining(['number 1', 'number 5']));
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  });

  it('pipelines: create, list, show, name, cancel, retry, remove', async () => {
    const { Pipelines: pipelines } = client();
    const made = await pipelines.create(app.id, 'main', { variables: [{ key: 'A', value: '1' }] });
    expect(await pipelines.allVariables(app.id, made.id)).toEqual([expect.objectContaining({ key: 'A', value: '1' })]);
    expect(await pipelines.all(app.id, { source: 'api' })).toEqual([expect.objectContaining({ id: made.id })]);
    expect(await pipelines.show(app.id, made.id)).toMatchObject({ status: 'pending' });
    expect(await pipelines.cancel(app.id, made.id)).toMatchObject({ status: 'canceled' });
    expect(await pipelines.retry(app.id, made.id)).toMatchObject({ status: 'pending' });
    expect(await pipelines.showTestReport(app.id, made.id)).toMatchObject({ total_count: 0 });
    await pipelines.remove(app.id, made.id);
    await expect(pipelines.show(app.id, made.id)).rejects.toThrow('404 Not found');
  });

  it('jobs: list, show, play, cancel, retry', async () => {
    const { Jobs: jobs, Pipelines: pipelines } = client();
    const { id: pipelineId } = await pipelines.create(app.id, 'main');
    const listed = await jobs.all(app.id, { pipelineId });
    expect(listed.map(({ name }) => name)).toEqual(['approve', 'build']);
    const [manual, build] = listed.map(({ id }) => id) as [number, number];
    expect(await jobs.show(app.id, manual)).toMatchObject({ status: 'manual' });
    expect(await jobs.play(app.id, manual)).toMatchObject({ status: 'pending' });
    expect(await jobs.cancel(app.id, build)).toMatchObject({ status: 'canceled' });
    expect(await jobs.retry(app.id, build)).toMatchObject({ name: 'build', status: 'pending' });
    expect(await jobs.all(app.id, { pipelineId, scope: 'canceled', includeRetried: true })).toHaveLength(1);
    expect(await client().Jobs.allPipelineBridges(app.id, pipelineId)).toEqual([]);
  });

  it('runners', async () => {
    const project = await flagfall.newProject({});
    const other = await flagfall.newProject({});
    for (const each of [project, other]) await flagfall.join(each, ada, 50);
    const runners = client().Runners;
    const made = await client().Users.createCIRunner('project_type', { projectId: project.id, tagList: ['linux'] });
    const { id } = made;
    expect(await runners.show(id)).toMatchObject({ tag_list: ['linux'], status: 'never_contacted' });
    expect(await runners.edit(id, { description: 'renamed', paused: true })).toMatchObject({ paused: true });
    expect(await runners.all({ projectId: project.id, type: 'project_type' })).toMatchObject([{ id }]);
    expect(await runners.enable(other.id, id)).toMatchObject({ id, description: 'renamed' });
    await runners.disable(other.id, id);
    expect(await runners.allJobs(id)).toEqual([]);
    await runners.remove({ runnerId: id });
    await expect(runners.show(id)).rejects.toThrow('Not found');
  });

  it('artifacts', async () => {
    const { project, jobId } = await archived();
    const artifacts = client().JobArtifacts;
    const whole = await (await artifacts.downloadArchive(project.id, { jobId })).arrayBuffer();
    const latest = await artifacts.downloadArchive(project.id, { job: 'build', ref: 'main' });
    expect([Buffer.from(whole).subarray(0, 2).toString(), latest.size]).toEqual(['PK', whole.byteLength]);
    const file = await artifacts.downloadArchive(project.id, { jobId, artifactPath: 'dist/a file.txt' });
    expect(await file.text()).toBe('inside');
    expect(await artifacts.keep(project.id, jobId)).toMatchObject({ id: jobId, artifacts_expire_at: null });
    await artifacts.remove(project.id, { jobId });
    await expect(artifacts.downloadArchive(project.id, { jobId })).rejects.toThrow('Not Found');
  });

  it('is told why it was refused', async () => {
    const refused = client().PipelineTriggerTokens.trigger(app.id, 'gone', trigger.token);
    await expect(refused).rejects.toThrow(/Reference not found/);
  });
});

/** Debian's package is for its own Python, which need not be the first one in the path. */
function pythonWithGitlab(): string | undefined {
  return ['python3', '/usr/bin/python3'].find((python) => {
    try {
      execFileSync(python, ['-c', 'import gitlab'], { stdio: 'ignore', timeout: programLimitMs });
      return true;
    } catch {
      return false;
    }
  });
}

const python = pythonWithGitlab();
if (!python && process.env['CI'] !== 'true')
  console.warn('python-gitlab is missing (apt-get install python3-gitlab): its tests are LEFT OUT');

(python || process.env['CI'] === 'true' ? describe : describe.skip)('python-gitlab', () => {
  const script = async (body: string): Promise<unknown> => {
    const lines = [
      'import gitlab, json, os',
      "gl = gitlab.Gitlab(os.environ['URL'], private_token=os.environ['TOKEN'])",
      "project = gl.projects.get(os.environ['PROJECT'])",
      body,
      'print(json.dumps(answer))',
    ];
    const { stdout } = await run(python ?? 'python3', ['-W', 'error', '-c', lines.join('\n')], {
      timeout: programLimitMs,
      env: {
        PATH: process.env['PATH'],
        URL: flagfall.url,
        TOKEN: ada.token,
        PROJECT: app.path,
        TRIGGER: trigger.token,
      },
    });
    return JSON.parse(stdout);
  };

  it('signs in', async () => {
    expect(await script('gl.auth()\nanswer = [gl.user.username, gl.version()]')).toEqual([
      'ada',
      [expect.any(String), expect.any(String)],
    ]);
  });

  it('triggers, with and without variables', async () => {
    const [plain, coloured] = (await script(
      `token = os.environ['TRIGGER']
answer = [project.trigger_pipeline('main', token).id, project.trigger_pipeline('feature/x', token, variables={'COLOUR': 'red'}).id]`,
    )) as number[];
    expect(JSON.parse((await variablesOf(plain ?? 0))['TRIGGER_PAYLOAD'] ?? '')).toMatchObject({ ref: 'main' });
    expect(await variablesOf(coloured ?? 0)).toMatchObject({ COLOUR: 'red' });
  });

  it('manages trigger tokens', async () => {
    const answer = await script(`trigger = project.triggers.create({'description': 'from python'})
full = trigger.token
trigger.description = 'renamed'
trigger.save()
found = [each.description for each in project.triggers.list(iterator=True, per_page=1)]
trigger.delete()
left = [each.id for each in project.triggers.list(get_all=True)]
answer = [len(full), 'renamed' in found, trigger.id in left]`);
    expect(answer).toEqual([46, true, false]);
  });

  it('pipelines and jobs', async () => {
    const answer =
      await script(`pipeline = project.pipelines.create({'ref': 'main', 'variables': [{'key': 'A', 'value': '1'}]})
variables = [each.key for each in pipeline.variables.list(get_all=True)]
jobs = pipeline.jobs.list(get_all=True)
manual = project.jobs.get(jobs[0].id)
manual.play()
pipeline.cancel()
scoped = pipeline.jobs.list(scope=['canceled'], include_retried=True, get_all=True)
pipeline.retry()
pipeline.refresh()
status = pipeline.status
bridges = pipeline.bridges.list(get_all=True)
report = pipeline.test_report.get().total_count
listed = [each.id for each in project.jobs.list(iterator=True, per_page=2)]
pipeline.cancel()
pipeline.delete()
answer = [variables, [each.name for each in jobs], len(scoped), status, bridges, report, len(listed) >= 4]`);
    expect(answer).toEqual([['A'], ['approve', 'build'], 2, 'pending', [], 0, true]);
  });

  it('runners', async () => {
    const project = await flagfall.newProject({});
    const other = await flagfall.newProject({});
    for (const each of [project, other]) await flagfall.join(each, ada, 50);
    // `user.runners` is of later versions than Debian's.
    const answer = await script(`mine, other = gl.projects.get(${project.id}), gl.projects.get(${other.id})
made = gl.http_post('/user/runners', post_data={'runner_type': 'project_type', 'project_id': mine.id, 'tag_list': 'linux,gpu'})
gl.runners.verify(made['token'])
runner = gl.runners.get(made['id'])
runner.description = 'from python'
runner.tag_list = ['linux']
runner.save()
gl.runners.update(runner.id, {'paused': True, 'maximum_timeout': 1200})
runner = gl.runners.get(made['id'])
shared = other.runners.create({'runner_id': runner.id}).id
listed = [[each.id for each in found] for found in (
  gl.runners.list(tag_list=['linux'], get_all=True), mine.runners.list(type='project_type', get_all=True), other.runners.list(paused=True, get_all=True))]
jobs = runner.jobs.list(status='success', order_by='id', get_all=True)
other.runners.delete(runner.id)
gl.runners.delete(token=made['token'])
try:
    gl.runners.get(runner.id)
except gitlab.GitlabGetError as error:
    gone = error.response_code
told = [runner.description, runner.tag_list, runner.paused, runner.maximum_timeout]
answer = [told, [ids == [made['id']] for ids in listed], shared == made['id'], jobs, gone]`);
    expect(answer).toEqual([['from python', ['linux'], true, 1200], [true, true, true], true, [], 404]);
  });

  it('logs and artifacts', async () => {
    const { project, jobId } = await archived();
    const answer = await script(`project = gl.projects.get(${project.id})
job = project.jobs.get(${jobId})
log = job.trace().decode()
whole = job.artifacts()
streamed = bytearray()
job.artifacts(streamed=True, action=streamed.extend)
latest = project.artifacts.download(ref_name='main', job='build')
file = [job.artifact('dist/a file.txt').decode(), project.artifacts.raw('main', 'dist/a file.txt', 'build').decode()]
job.keep_artifacts()
job.refresh()
kept = job.artifacts_expire_at
job.delete_artifacts()
try:
    job.artifacts()
except gitlab.GitlabGetError as error:
    gone = error.response_code
project.artifacts.delete()
job.erase()
job.retry()
answer = [log, whole == latest == bytes(streamed), file, kept, gone, job.status]`);
    expect(answer).toEqual(['hello\n', true, ['inside', 'inside'], null, 404, 'success']);
  });

  it('is told why it was refused', async () => {
    const answer = await script(`try:
    project.trigger_pipeline('gone', os.environ['TRIGGER'])
except gitlab.GitlabError as error:
    answer = [error.response_code, str(error)]`);
    expect(answer).toEqual([400, expect.stringContaining('Reference not found')]);
  });
});
