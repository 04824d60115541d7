import { join } from 'node:path';
import { until } from '../../../libs/messaging/src/testing/until.js';
import { TestRepository } from '../../pipeline-service/src/repositories/testing/test-repository.js';
import { Api, type Answer, type Call } from './api.js';
import type { Installation } from './installation.js';

const pipelineLimitMs = 20_000;

/** A user with an access token. */
export interface Person {
  id: number;
  username: string;
  token: string;
}

export interface Project {
  id: number;
  /** Full path. */
  path: string;
  repository: TestRepository;
}

/** A trigger with its token. */
export interface Trigger {
  id: number;
  token: string;
  projectId: number;
}

/** A job that a runner has. */
export interface TakenJob {
  id: number;
  token: string;
}

/** What can be done with an installation, over HTTP as any user would. */
export class Verbs {
  #made = 0;

  private constructor(
    private readonly installation: Installation,
    readonly api: Api,
  ) {}

  static async of(installation: Installation): Promise<Verbs> {
    return new Verbs(installation, await Api.of(installation));
  }

  /** Calls the API as the first administrator. */
  root(call: Omit<Call, 'token'>): Promise<Answer['body']> {
    return this.api.must({ ...call, token: this.installation.rootToken });
  }

  async newUser(username: string, more: object = {}): Promise<Person> {
    const user = await this.root({
      method: 'POST',
      path: '/users',
      json: { username, name: `The ${username}`, email: `${username}@example.com`, ...more },
    });
    return { id: user.id, username, token: await this.newAccessToken(user.id) };
  }

  async newAccessToken(userId: number, more: object = {}): Promise<string> {
    const json = { name: 'for a test', scopes: ['api'], ...more };
    return (await this.root({ method: 'POST', path: `/users/${userId}/personal_access_tokens`, json })).token;
  }

  /**
   * A project with a real local repository.
   * @param files of the first commit on `main`
   * @param more further fields of `POST /projects`
   */
  async newProject({ files, ...more }: { files: Record<string, string> } & Record<string, unknown>): Promise<Project> {
    this.#made += 1;
    const name = `app${this.#made}`;
    const directory = join(this.installation.repositories, name);
    const repository = await TestRepository.create(directory);
    await repository.commit(files, 'Begin');
    const json = {
      path: name,
      namespace: 'group',
      import_url: directory,
      default_branch: 'main',
      ...more,
    };
    const project = await this.root({ method: 'POST', path: '/projects', json });
    return { id: project.id, path: project.path_with_namespace, repository };
  }

  /** @param level GitLab's number: 10 Guest … 50 Owner */
  async join(project: Project, person: Person, level: number): Promise<void> {
    const json = { user_id: person.id, access_level: level };
    await this.root({ method: 'POST', path: `/projects/${project.id}/members`, json });
  }

  async newTrigger(project: Project, owner: { token: string }, more: object = {}): Promise<Trigger> {
    const { id, token } = await this.api.must({
      method: 'POST',
      path: `/projects/${project.id}/triggers`,
      token: owner.token,
      json: { description: 'for a test', ...more },
    });
    return { id, token, projectId: project.id };
  }

  /** Starts a pipeline with a trigger token. @returns GitLab's pipeline object */
  trigger(
    { projectId, token }: Trigger,
    ref = 'main',
    variables: Record<string, string> = {},
  ): Promise<Answer['body']> {
    const pairs = Object.entries(variables).map(([key, value]) => [`variables[${key}]`, value] as const);
    return this.api.must({
      method: 'POST',
      path: `/projects/${projectId}/trigger/pipeline`,
      form: [['token', token], ['ref', ref], ...pairs],
    });
  }

  /** A runner for the jobs of one project. @returns its token */
  async newRunner(project: { id: number }): Promise<string> {
    const json = { runner_type: 'project_type', project_id: project.id, description: 'for a test' };
    return (await this.root({ method: 'POST', path: '/user/runners', json })).token;
  }

  /** Takes the next job of a runner's project, as a runner does. */
  async takeJob(runner: string): Promise<TakenJob> {
    const { status, body } = await this.api.call({
      method: 'POST',
      path: '/jobs/request',
      json: { token: runner },
      runnerProtocol: true,
    });
    if (status !== 201) throw new Error(`There was no job for the runner: ${status} ${JSON.stringify(body)}`);
    const job: TakenJob = { id: body.id, token: body.token };
    await this.report(job, 'running');
    return job;
  }

  /** Says how a job goes, as its runner does. */
  async report({ id, token }: TakenJob, state: 'running' | 'success' | 'failed'): Promise<void> {
    const json = { token, state, ...(state === 'failed' && { failure_reason: 'script_failure', exit_code: 1 }) };
    await this.api.must({ method: 'PUT', path: `/jobs/${id}`, json, runnerProtocol: true });
  }

  /** Sends a job's log, as its runner does. */
  async log({ id, token }: TakenJob, text: string): Promise<void> {
    const headers = { 'JOB-TOKEN': token, 'Content-Type': 'text/plain', 'Content-Range': `0-${text.length - 1}` };
    await this.api.must({ method: 'PATCH', path: `/jobs/${id}/trace`, headers, raw: text, runnerProtocol: true });
  }

  /** Waits for what happens soon after an answer. */
  eventually(what: string, condition: () => Promise<boolean>): Promise<void> {
    return until(what, condition, pipelineLimitMs);
  }

  /** Waits until a pipeline has a status. @returns it then */
  async waitForPipeline(projectId: number, pipelineId: number, status: string): Promise<Answer['body']> {
    let pipeline: Answer['body'];
    await until(
      `pipeline ${pipelineId} to be ${status}`,
      async () => {
        pipeline = await this.root({ path: `/projects/${projectId}/pipelines/${pipelineId}` });
        return pipeline.status === status;
      },
      pipelineLimitMs,
    );
    return pipeline;
  }
}
