import { join } from 'node:path';
import { TestRepository } from '../../../pipeline-service/src/repositories/testing/test-repository.js';
import { type Answer, type Call, must, send } from './api.js';
import { HandRunner } from './hand-runner.js';
import { type Installation, type InstallationOptions, type RunnerSettings, startInstallation } from './installation.js';
import type { Program } from './program.js';
import { Project } from './project.js';

const startLimitMs = 180_000;
const stopLimitMs = 90_000;

/** A user with an access token. */
export interface Person {
  id: number;
  username: string;
  token: string;
}

/** A trigger with its token. */
export interface Trigger {
  id: number;
  token: string;
  projectId: number;
}

/** Fields of `POST /projects`, and the files of the first commit on `main` of its repository; without any it has no repository. */
export interface NewProject extends Record<string, unknown> {
  path?: string;
  files?: Record<string, string>;
}

/** What a job's runner may be, beside the fields of `POST /user/runners`. */
export interface NewRunner extends Record<string, unknown> {
  /** For the jobs of this project alone. */
  project?: Project;
  /** Whether it tells that it can stop a job in good order; it does unless told otherwise. */
  cancelsGracefully?: boolean;
  /** Of the gateway that it asks for jobs; the first one unless given. */
  url?: string;
}

/**
 * Declares an installation for the tests around it: started before them and stopped after them. A test fails when anything was answered
 * during it that the OpenAPI document does not describe; the logs of a test that failed are printed.
 */
export function startsFlagfall(options: InstallationOptions): Flagfall {
  const flagfall = new Flagfall(options);
  beforeAll(() => flagfall.start(), startLimitMs);
  const expectNoFaults = (): void => {
    const faults = flagfall.takeFaults();
    if (faults.length > 0) throw new Error(faults.join('\n'));
  };
  afterEach(() => {
    const errors = errorsOfTest();
    if (errors.length > 0) printLogs(flagfall.programs, errors);
    expectNoFaults();
  });
  afterAll(async () => {
    await flagfall.stop();
    expectNoFaults();
  }, stopLimitMs);
  return flagfall;
}

/** An installation, and what can be done with it: over HTTP, as any user would. */
export class Flagfall {
  #installation: Installation | undefined;
  #projects = 0;

  constructor(private readonly options: InstallationOptions) {}

  async start(): Promise<void> {
    this.#installation = await startInstallation(this.options);
  }

  async stop(): Promise<void> {
    await this.#installation?.stop();
  }

  /** @throws Error before it was started */
  get installation(): Installation {
    if (!this.#installation) throw new Error('Flagfall is not started yet: use it in tests and hooks only');
    return this.#installation;
  }

  get url(): string {
    return this.installation.url;
  }

  /** Access token of the first administrator. */
  get rootToken(): string {
    return this.installation.rootToken;
  }

  get programs(): readonly Program[] {
    return this.#installation?.programs ?? [];
  }

  takeFaults(): string[] {
    return this.#installation?.takeFaults() ?? [];
  }

  call(call: Call): Promise<Answer> {
    return send(this.url, call);
  }

  /** The body of a call that must succeed. @throws Error with what was answered instead */
  must(call: Call): Promise<Answer['body']> {
    return must(this.url, call);
  }

  /** The same, as the first administrator. */
  root(call: Omit<Call, 'token'>): Promise<Answer['body']> {
    return this.must({ ...call, token: this.rootToken });
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

  /** Makes a project `group/app1`, `group/app2` … or as told; with files, its repository is a real one on local disk. */
  async newProject({ files, ...more }: NewProject): Promise<Project> {
    const path = more.path ?? `app${(this.#projects += 1)}`;
    const json: Record<string, unknown> = { path, namespace: 'group', default_branch: 'main', ...more };
    let repository: TestRepository | undefined;
    if (files) {
      repository = await TestRepository.create(join(this.installation.repositories, path));
      await repository.commit(files, 'Begin');
      json['import_url'] = repository.path;
    }
    const { id, path_with_namespace } = await this.root({ method: 'POST', path: '/projects', json });
    return new Project(this, id, path_with_namespace, repository);
  }

  /** @param level GitLab's number: 10 Guest … 50 Owner */
  async join(project: { id: number }, person: Person, level: number): Promise<void> {
    const json = { user_id: person.id, access_level: level };
    await this.root({ method: 'POST', path: `/projects/${project.id}/members`, json });
  }

  /** @param owner the first administrator unless given */
  async newTrigger(
    project: { id: number },
    owner: { token: string } = { token: this.rootToken },
    more: object = {},
  ): Promise<Trigger> {
    const { id, token } = await this.must({
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
    return this.must({
      method: 'POST',
      path: `/projects/${projectId}/trigger/pipeline`,
      form: [['token', token], ['ref', ref], ...pairs],
    });
  }

  /** A runner that does only what the test says; for all projects unless told otherwise. */
  async newRunner({ project, cancelsGracefully, url, ...more }: NewRunner = {}): Promise<HandRunner> {
    const kind = project ? { runner_type: 'project_type', project_id: project.id } : { runner_type: 'instance_type' };
    const json = { ...kind, description: 'for a test', ...more };
    const { id, token } = await this.root({ method: 'POST', path: '/user/runners', json });
    return new HandRunner(this, { id, token, cancelsGracefully, url });
  }

  /** Starts a real runner, which takes jobs until the end. */
  startRunner(settings?: RunnerSettings): Promise<Program> {
    return this.installation.startRunner(settings);
  }
}

interface RunningTest {
  /** Each with the place it came from, or alone. */
  errors: unknown[];
}

/** Jest's runner tells its hooks nothing about the test; its state does. */
function errorsOfTest(): string[] {
  const key = Object.getOwnPropertySymbols(globalThis).find((symbol) => symbol.description === 'JEST_STATE_SYMBOL');
  const state = key && (globalThis as unknown as Record<symbol, { currentlyRunningTest?: RunningTest }>)[key];
  return (state?.currentlyRunningTest?.errors ?? []).map((each) => String([each].flat()[0]));
}

/** What went wrong is seldom said by the test itself. Jest says that only once all tests of the file have ended, which may take long. */
function printLogs(programs: readonly Program[], errors: readonly string[]): void {
  const logs = programs.map(({ name, running, lastLines }) => `--- ${name}${running ? '' : ' (ended)'}\n${lastLines}`);
  process.stderr.write(`\n=== ${expect.getState().currentTestName}\n${[...logs, ...errors].join('\n')}\n`);
}
