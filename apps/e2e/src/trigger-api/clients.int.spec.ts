// needs: rabbitmq, postgresql
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Gitlab } from '@gitbeaker/rest';
import { type Person, startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

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

  it('reads a log', async () => {
    const project = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}' } });
    await flagfall.join(project, ada, 30);
    await flagfall.root({ method: 'POST', path: `/projects/${project.id}/pipeline`, json: { ref: 'main' } });
    const runner = await flagfall.newRunner({ project });
    const job = await runner.start();
    await runner.log(job, 'hello\n');
    await runner.end(job, 'success');
    const answer = await script(`job = gl.projects.get(${project.id}).jobs.get(${job.id})
log = job.trace().decode()
job.retry()
answer = [log, job.status]`);
    expect(answer).toEqual(['hello\n', 'success']);
  });

  it('is told why it was refused', async () => {
    const answer = await script(`try:
    project.trigger_pipeline('gone', os.environ['TRIGGER'])
except gitlab.GitlabError as error:
    answer = [error.response_code, str(error)]`);
    expect(answer).toEqual([400, expect.stringContaining('Reference not found')]);
  });
});
