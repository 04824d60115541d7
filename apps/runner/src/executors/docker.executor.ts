import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import type { Image, Service } from '../job.payload.js';
import { StageFailure } from '../outcome.js';
import { pause } from '../pause.js';
import { expand } from '../variables.js';
import { docker, DockerError } from './docker-command.js';
import type { Executor, ExecutorJob, StageScript } from './executor.js';
import { isImageName, PULL_POLICIES, registryConfiguration, serviceNames } from './docker-words.js';

export interface DockerSettings {
  /** For jobs that name none; empty where they must. */
  image: string;
  /** In the order in which they are tried, where the job does not say. */
  pullPolicy: readonly string[];
}

interface DockerHost {
  environment: NodeJS.ProcessEnv;
  /** Of the runner; its containers are found by it when it was killed. */
  systemId: string;
  stateDir: string;
}

const COMMAND_LIMIT_MS = 60_000;
const PULL_LIMIT_MS = 30 * 60_000;
const SERVICE_LIMIT_MS = 30_000;
const SERVICE_PROBE_MS = 250;
const LARGEST_SERVICE_LOG_LINES = 20;
/** Where a stage's script lies in the container: not in the job's own directories, where the job could put a link in its place. */
const SCRIPTS = '/flagfall';
const RUNNER_LABEL = 'flagfall.runner';
const JOB_LABEL = 'flagfall.job';

/** As GitLab's runner looks for a shell in an image: bash before sh, no login shell, since the image's own PATH is to count. */
const FIND_SHELL =
  'for shell in /usr/local/bin/bash /usr/bin/bash /bin/bash /usr/local/bin/sh /usr/bin/sh /bin/sh; do ' +
  'if [ -x "$shell" ]; then exec "$shell" "$1"; fi; done; echo "there is no shell in this image" >&2; exit 127';

/**
 * Runs scripts in containers of the job's image, a fresh one for each stage, with the checkout and the temporary directory at the same
 * paths as on this machine. Services run beside them in a network of the job's own, under their names.
 */
export class DockerExecutor implements Executor {
  readonly name = 'docker';
  private readonly label: string;
  /** Begins the names of the job's containers, and is its network's. */
  private readonly prefix: string;
  private image = '';
  private network: string | undefined;
  private containers = 0;

  constructor(
    private readonly run: ExecutorJob,
    private readonly settings: DockerSettings,
    private readonly host: DockerHost,
  ) {
    this.label = `${JOB_LABEL}=${run.marker.value}`;
    this.prefix = `flagfall-${run.marker.value.slice(0, 12)}`;
  }

  async prepare(): Promise<void> {
    const { job, log, accepted } = this.run;
    await accepted;
    const image = { ...job.image, name: this.expand(job.image.name) || this.settings.image };
    if (image.name === '') {
      const message = 'the job names no image, and the runner has none for such jobs (--docker-image)';
      throw new StageFailure('runner_configuration_error', message);
    }
    log.line(`Using Docker executor with image ${image.name} ...`);
    await this.provideImage(image);
    this.image = image.name;
    await this.prepareBy(['network', 'create', '--label', this.label, ...this.runnerLabel(), this.prefix]);
    this.network = this.prefix;
    for (const service of job.services) await this.startService(service);
    if (job.services.length > 0) log.line('Waiting for services to be up and running...');
    await Promise.all(job.services.map((_, index) => this.awaitService(`${this.prefix}-service-${index}`)));
  }

  async runScript({ name, text, endings }: StageScript): Promise<number> {
    const { workspace, marker, runProgram, job } = this.run;
    const script = join(this.host.stateDir, `script-${marker.value}-${name}`);
    const container = `${this.prefix}-${name.replaceAll(/[^A-Za-z0-9_.-]/g, '_')}-${this.containers++}`;
    await writeFile(script, text, { mode: 0o644, flag: 'wx' });
    try {
      // Not at its making: the process's umask would take from it.
      await Promise.all([chmod(script, 0o644), chmod(workspace.project, 0o777)]);
      const [entrypoint, ...before] = job.image.entrypoint;
      // `run` and not `create` and `start --attach`: there a docker command that is told to end leaves without the last output.
      const args = [
        'run', '--pull', 'never',
        // An init process reaps what the script leaves, and hands SIGTERM to all of the script's process group.
        '--init', '--env', 'TINI_KILL_PROCESS_GROUP=1', '--env', `${marker.name}=${marker.value}`,
        ...gitTrusts(workspace.project),
        ...this.labels(container),
        ...mount(workspace.project, workspace.project),
        ...mount(workspace.temporary, workspace.temporary),
        ...mount(script, `${SCRIPTS}/${name}`, 'readonly'),
        '--workdir', SCRIPTS,
        ...(entrypoint === undefined ? [] : ['--entrypoint', entrypoint]),
        this.image, ...before, 'sh', '-c', FIND_SHELL, 'sh', name,
      ]; // prettier-ignore
      const env = this.host.environment;
      const code = await runProgram({ file: 'docker', args, cwd: this.host.stateDir, env, endings });
      return await this.exitCode(container, code);
    } finally {
      await rm(script, { force: true });
      await this.remove(container);
      await this.takeBack();
    }
  }

  async cleanUp(): Promise<void> {
    await removeLabelled(this.label, this.host.environment);
  }

  /** What the container ended with; the command that was attached to it may have been ended itself. */
  private async exitCode(container: string, attached: number): Promise<number> {
    const format = '{{.State.Running}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}}';
    const state = await this.docker(['inspect', '--format', format, container]);
    const [running, code, outOfMemory, ...error] = state.split(' ');
    if (error.join(' ') !== '')
      throw new StageFailure('runner_system_failure', `the container did not start: ${error.join(' ')}`);
    if (outOfMemory === 'true')
      this.run.log.line('\x1b[0;33mWARNING: the container was ended for want of memory\x1b[0;m');
    return running === 'true' ? attached : Number(code);
  }

  /** Gets an image by the policies, one after the other. */
  private async provideImage({ name, pullPolicy }: Image): Promise<void> {
    const { log } = this.run;
    if (!isImageName(name)) {
      throw new StageFailure('runner_configuration_error', `${JSON.stringify(name)} is not the name of an image`);
    }
    const policies = pullPolicy.length > 0 ? pullPolicy : this.settings.pullPolicy;
    let failure = '';
    for (const policy of policies) {
      try {
        await this.followPolicy(policy, name);
        const id = await this.prepareBy(['image', 'inspect', '--format', '{{.Id}}', name]);
        log.line(`Using docker image ${id} for ${name} ...`);
        return;
      } catch (error) {
        if (!(error instanceof DockerError)) throw error;
        this.run.ending.throwIfAborted();
        failure = error.message;
        log.line(
          `\x1b[0;33mWARNING: Failed to get image ${name} with policy ${JSON.stringify(policy)}: ${failure}\x1b[0;m`,
        );
      }
    }
    throw new StageFailure('image_pull_failure', `the image ${name} could not be had: ${failure}`);
  }

  private async followPolicy(policy: string, name: string): Promise<void> {
    if (!PULL_POLICIES.includes(policy)) {
      const message = `unknown pull policy ${JSON.stringify(policy)}; it is one of ${PULL_POLICIES.join(', ')}`;
      throw new StageFailure('runner_configuration_error', message);
    }
    if (policy === 'never') return;
    if (policy === 'if-not-present') {
      const present = await this.prepareBy(['image', 'inspect', '--format', '{{.Id}}', name]).catch(() => undefined);
      if (present !== undefined) return;
    }
    this.run.log.line(`Pulling docker image ${name} ...`);
    const configuration = await this.writeRegistryConfiguration();
    try {
      const own = configuration === undefined ? [] : ['--config', configuration];
      await this.prepareBy([...own, 'pull', '--quiet', name], PULL_LIMIT_MS);
    } finally {
      if (configuration !== undefined) await rm(configuration, { recursive: true, force: true });
    }
  }

  /** A directory with the job's credentials for registries; undefined where it has none and the operator's own count. */
  private async writeRegistryConfiguration(): Promise<string | undefined> {
    const { job, variables, marker } = this.run;
    const own = variables.find(({ key }) => key === 'DOCKER_AUTH_CONFIG')?.value ?? '';
    const configuration = registryConfiguration(job.credentials, own);
    if (configuration === undefined) return undefined;
    const directory = join(this.host.stateDir, `docker-${marker.value}`);
    await mkdir(directory, { mode: 0o700, recursive: true });
    await writeFile(join(directory, 'config.json'), configuration, { mode: 0o600 });
    return directory;
  }

  private async startService(service: Service): Promise<void> {
    const { job, log, variables } = this.run;
    const name = this.expand(service.name);
    log.line(`Starting service ${name} ...`);
    await this.provideImage({ ...service, name });
    const open = new Set(job.variables.filter((variable) => variable.public && !variable.file).map(({ key }) => key));
    const values = new Map(variables.filter(({ key }) => open.has(key)).map(({ key, value }) => [key, value]));
    for (const { key, value, raw } of service.variables) values.set(key, raw ? value : this.expand(value));
    const container = `${this.prefix}-service-${job.services.indexOf(service)}`;
    const file = join(this.host.stateDir, container);
    const [entrypoint, ...before] = service.entrypoint;
    try {
      // In a file, since a value on a command line is in the process list; a file of Docker's has no way to write a line break.
      const lines = [...values].filter(([key, value]) => /^[A-Za-z_]\w*$/.test(key) && !/[\n\0]/.test(value));
      await writeFile(file, lines.map(([key, value]) => `${key}=${value}\n`).join(''), { mode: 0o600, flag: 'wx' });
      await this.prepareBy([
        'run', '--detach', '--env-file', file,
        ...this.labels(container),
        ...serviceNames(name, this.expand(service.alias)).flatMap((alias) => ['--network-alias', alias]),
        ...(entrypoint === undefined ? [] : ['--entrypoint', entrypoint]),
        name, ...before, ...service.command,
      ]); // prettier-ignore
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      throw new StageFailure('runner_system_failure', `the service ${name} could not be started: ${error.message}`);
    } finally {
      await rm(file, { force: true });
    }
  }

  /** Waits until a service takes connections at the first port that its image names; one that does not is told, and no failure. */
  private async awaitService(container: string): Promise<void> {
    const { log, ending } = this.run;
    const deadline = performance.now() + SERVICE_LIMIT_MS;
    const format =
      '{"ports":{{json .Config.ExposedPorts}},"running":{{.State.Running}},"networks":{{json .NetworkSettings.Networks}},"image":{{json .Config.Image}}}';
    while (!ending.aborted) {
      const state = JSON.parse(await this.prepareBy(['inspect', '--format', format, container])) as ServiceState;
      const port = Object.keys(state.ports ?? {})
        .filter((one) => one.endsWith('/tcp'))
        .map((one) => Number.parseInt(one, 10))
        .sort((a, b) => a - b)[0];
      if (port === undefined && state.running) return;
      const address = Object.values(state.networks)[0]?.IPAddress ?? '';
      if (port !== undefined && state.running && (await answers(address, port))) return;
      if (!state.running || performance.now() > deadline) {
        const said = await this.prepareBy(['logs', '--tail', String(LARGEST_SERVICE_LOG_LINES), container]).catch(
          () => '',
        );
        const what = state.running ? `does not answer at port ${port}` : 'has ended';
        log.line(
          `\x1b[0;33mWARNING: Service ${state.image} ${what}, probably it did not start properly.\x1b[0;m\n${said}`,
        );
        return;
      }
      await pause(SERVICE_PROBE_MS, ending);
    }
  }

  /** What a container's user wrote in the checkout belongs to whoever that is; the runner must be able to clean up. */
  private async takeBack(): Promise<void> {
    const user = process.getuid?.() ?? 0;
    if (user === 0) return;
    const { project, temporary } = this.run.workspace;
    const owner = `${user}:${process.getgid?.() ?? user}`;
    const container = `${this.prefix}-owner-${this.containers++}`;
    const args = [
      'run', '--rm', '--user', '0', ...this.labels(container), ...mount(project, project), ...mount(temporary, temporary),
      '--entrypoint', 'chown', this.image, '-R', owner, project, temporary,
    ]; // prettier-ignore
    await this.docker(args);
  }

  private async remove(container: string): Promise<void> {
    await this.docker(['rm', '--force', '--volumes', container]).catch((error: Error) => {
      if (!/no such container/i.test(error.message)) throw error;
    });
  }

  private labels(container: string): string[] {
    return ['--name', container, '--label', this.label, ...this.runnerLabel(), '--network', this.network ?? 'none'];
  }

  private runnerLabel(): string[] {
    return ['--label', `${RUNNER_LABEL}=${this.host.systemId}`];
  }

  /** @param signal only while the job gets ready: its scripts run, and are taken away, also when it is being ended */
  private docker(args: readonly string[], limitMs = COMMAND_LIMIT_MS, signal?: AbortSignal): Promise<string> {
    return docker(args, { env: this.host.environment, limitMs, signal });
  }

  private prepareBy(args: readonly string[], limitMs = COMMAND_LIMIT_MS): Promise<string> {
    return this.docker(args, limitMs, this.run.ending);
  }

  private expand(text: string): string {
    return expand(text, (name) => this.run.variables.find(({ key }) => key === name)?.value);
  }
}

interface ServiceState {
  ports: Record<string, unknown> | null;
  running: boolean;
  networks: Record<string, { IPAddress: string }>;
  image: string;
}

/**
 * Whether Docker can be used, and takes away what this runner left when it was killed.
 * @throws {Error} for people, when it cannot
 */
export async function checkDocker(env: NodeJS.ProcessEnv, systemId: string, buildsDir: string): Promise<void> {
  if (/[,"\n]/.test(buildsDir))
    throw new Error(`Docker cannot mount ${buildsDir}: choose a builds directory without commas and quotes`);
  try {
    await docker(['version', '--format', '{{.Server.Version}}'], { env, limitMs: 15_000 });
  } catch (error) {
    throw new Error(
      `the docker executor cannot be used: ${(error as Error).message.replace(/[.?]+$/, '')}. Install and start Docker, or take jobs with --executor shell`,
      { cause: error },
    );
  }
  await removeLabelled(`${RUNNER_LABEL}=${systemId}`, env);
}

async function removeLabelled(label: string, env: NodeJS.ProcessEnv): Promise<void> {
  const options = { env, limitMs: COMMAND_LIMIT_MS };
  const filter = ['--quiet', '--filter', `label=${label}`];
  const containers = await docker(['ps', '--all', ...filter], options);
  if (containers !== '') await docker(['rm', '--force', '--volumes', ...containers.split('\n')], options);
  const networks = await docker(['network', 'ls', ...filter], options);
  if (networks !== '') await docker(['network', 'rm', ...networks.split('\n')], options);
}

function mount(source: string, target: string, ...more: string[]): string[] {
  return ['--mount', ['type=bind', `source=${source}`, `target=${target}`, ...more].join(',')];
}

/** The checkout belongs to the runner's user, and git in the container would refuse another user's. */
function gitTrusts(directory: string): string[] {
  const values = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: directory };
  return Object.entries(values).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
}

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: address, port, timeout: 1000 });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('connect', () => end(true));
    socket.on('timeout', () => end(false));
    socket.on('error', () => end(false));
  });
}
