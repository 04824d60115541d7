import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { isImageName, PULL_POLICIES } from './executors/docker-words.js';
import type { RunnerOptions } from './runner.js';

export interface RunnerConfig extends RunnerOptions {
  command: Command;
  concurrency: number;
  /** Shown at the start only: which jobs come is decided by the tags that the coordinator has for the runner. */
  tags: string;
  /** What running jobs have when the runner is stopped. */
  stopTimeoutMs: number;
  /** Where `register` writes the token. */
  keepTokenIn: string | undefined;
}

const COMMANDS = ['run', 'register', 'unregister'] as const;
type Command = (typeof COMMANDS)[number];

/** All that is wrong with the configuration, one sentence each. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The runner's configuration is wrong:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}

export const USAGE = `Usage: node dist/apps/runner/src/main.js [run | register | unregister] --url URL --token-file FILE [options]

Takes jobs from a coordinator that speaks GitLab's runner protocol, and runs them.

  run          the default: takes jobs until it is stopped
  register     asks the coordinator whether it knows the token; with both --token and --token-file, writes the one into the other
  unregister   tells the coordinator to forget this machine

Each option may be given by the variable in parentheses instead; an option goes before its variable.

Coordinator
  --url URL                 its address, without /api/v4                                (RUNNER_URL)
  --token TOKEN             the runner's token, glrt-..., which creating the runner
                            returned; others see it in the process list: better         (RUNNER_TOKEN)
  --token-file FILE         a file that holds the token                                 (RUNNER_TOKEN_FILE)
  --name NAME               as job logs show it; default the host name                  (RUNNER_NAME)
  --tags LIST               shown at the start only; the coordinator decides            (RUNNER_TAGS)

Jobs
  --concurrency N           jobs at once, 1 to 256; default 1                           (RUNNER_CONCURRENCY)
  --max-builds N            end after N jobs                                            (RUNNER_MAX_BUILDS)
  --once                    the same as --max-builds 1
  --output-limit KIB        largest output of a job in its log; default 4096            (RUNNER_OUTPUT_LIMIT)
  --stop-timeout SECONDS    what running jobs have when it is stopped; default 10       (RUNNER_STOP_TIMEOUT)

Disk
  --builds-dir DIR          checkouts; one directory for each runner process;
                            default ./data/builds                                       (RUNNER_BUILDS_DIR)
  --cache-dir DIR           caches; several processes may share it; default
                            .flagfall/cache in the builds directory                     (RUNNER_CACHE_DIR)
  --cache-limit MIB         all caches together; the longest unused go; default 10240   (RUNNER_CACHE_LIMIT)
  --unpack-limit MIB        what caches and artifacts of one job may be unpacked to;
                            default 10240                                               (RUNNER_UNPACK_LIMIT)
  --unpack-entries N        files and directories among it; default 500000              (RUNNER_UNPACK_ENTRIES)

Where jobs run
  --executor shell          the default: in bash (or sh), with all rights of this user:
                            only for jobs of people whom you would give a shell         (RUNNER_EXECUTOR)
  --executor docker         in containers, through the docker command; Docker must run
                            on this machine
  --docker-image IMAGE      for jobs that name none                                     (RUNNER_DOCKER_IMAGE)
  --docker-pull-policy LIST always, if-not-present, never, tried in order; default
                            always; jobs may say otherwise                              (RUNNER_DOCKER_PULL_POLICY)

SIGTERM and SIGINT stop it: it takes no new jobs, running ones have the stop timeout and are then reported as failed, which lets
the coordinator retry them where they ask for it. A second signal does not wait. SIGQUIT lets running jobs finish.`;

/**
 * Reads flags and environment, flags first.
 * @returns undefined when help was asked for
 * @throws {ConfigError} with every fault at once
 */
export function readConfig(args: string[], env: NodeJS.ProcessEnv): RunnerConfig | undefined {
  const faults: string[] = [];
  const { flags, words } = parseFlags(args, faults);
  if (flags.help) return undefined;
  const command = COMMANDS.find((one) => one === (words[0] ?? 'run'));
  if (command === undefined || words.length > 1) {
    faults.push(`the command must be one of ${COMMANDS.join(', ')}, not ${JSON.stringify(words.join(' '))}`);
  }
  const setting = (flag: string | undefined, name: string) => flag ?? (env[name] === '' ? undefined : env[name]);
  /** The setting as a number, or what stands for it where it is not given. */
  const whole = <Otherwise>(
    flag: string | undefined,
    variable: string,
    what: string,
    otherwise: Otherwise,
    [least, most]: [number, number],
  ) => {
    const text = setting(flag, variable);
    if (text === undefined) return otherwise;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    faults.push(`${what} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
    return otherwise;
  };

  const url = setting(flags.url, 'RUNNER_URL');
  if (url === undefined)
    faults.push('the coordinator is missing: give --url or RUNNER_URL, such as http://127.0.0.1:8080');
  else if (!/^https?:$/.test(protocolOf(url)))
    faults.push(`--url must be an http or https URL, not ${JSON.stringify(url)}`);

  const tokenFile = setting(flags['token-file'], 'RUNNER_TOKEN_FILE');
  let token = setting(flags.token, 'RUNNER_TOKEN');
  let keepTokenIn: string | undefined;
  if (flags.token !== undefined && flags['token-file'] !== undefined) {
    if (command === 'register') keepTokenIn = flags['token-file'];
    else faults.push('give --token or --token-file, not both');
  } else if (token === undefined && tokenFile === undefined) {
    faults.push(
      'the token is missing: give --token-file, --token or RUNNER_TOKEN with the token that creating the runner returned',
    );
  } else if (tokenFile !== undefined && flags.token === undefined) {
    try {
      token = readFileSync(tokenFile, 'utf8').trim();
    } catch (error) {
      faults.push(`the token file cannot be read: ${(error as Error).message}`);
    }
  }
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    faults.push('the token is empty or holds blanks or characters other than ASCII');
  }

  const concurrency = whole(flags.concurrency, 'RUNNER_CONCURRENCY', 'the concurrency', 1, [1, 256]);
  const outputLimit = whole(flags['output-limit'], 'RUNNER_OUTPUT_LIMIT', 'the output limit (KiB)', 4096, [
    1,
    1024 * 1024,
  ]);
  const asked = whole(flags['max-builds'], 'RUNNER_MAX_BUILDS', 'the number of builds', undefined, [1, 1_000_000]);
  const stopTimeout = whole(
    flags['stop-timeout'],
    'RUNNER_STOP_TIMEOUT',
    'the stop timeout (seconds)',
    10,
    [0, 86_400],
  );
  const cacheLimit = whole(flags['cache-limit'], 'RUNNER_CACHE_LIMIT', 'the cache limit (MiB)', 10_240, [1, 2 ** 30]);
  const unpackLimit = whole(flags['unpack-limit'], 'RUNNER_UNPACK_LIMIT', 'the unpack limit (MiB)', 10_240, [
    1,
    2 ** 30,
  ]);
  const unpackEntries = whole(flags['unpack-entries'], 'RUNNER_UNPACK_ENTRIES', 'the unpack entries', 500_000, [
    1,
    2 ** 30,
  ]);

  const executor = setting(flags.executor, 'RUNNER_EXECUTOR') ?? 'shell';
  if (executor !== 'shell' && executor !== 'docker') {
    faults.push(`the executor must be shell or docker, not ${JSON.stringify(executor)}`);
  }
  const image = setting(flags['docker-image'], 'RUNNER_DOCKER_IMAGE') ?? '';
  if (image !== '' && !isImageName(image)) faults.push(`${JSON.stringify(image)} is not the name of an image`);
  const pullPolicy = (setting(flags['docker-pull-policy'], 'RUNNER_DOCKER_PULL_POLICY') ?? 'always').split(/[\s,]+/);
  for (const policy of pullPolicy) {
    if (!PULL_POLICIES.includes(policy)) {
      faults.push(`a pull policy must be one of ${PULL_POLICIES.join(', ')}, not ${JSON.stringify(policy)}`);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    command: command!,
    url: url!,
    token: token!,
    keepTokenIn,
    buildsDir: setting(flags['builds-dir'], 'RUNNER_BUILDS_DIR') ?? 'data/builds',
    cacheDir: setting(flags['cache-dir'], 'RUNNER_CACHE_DIR'),
    cacheLimitBytes: cacheLimit * 1024 ** 2,
    unpackLimit: { bytes: unpackLimit * 1024 ** 2, entries: unpackEntries },
    docker: executor === 'docker' ? { image, pullPolicy } : undefined,
    concurrency,
    name: setting(flags.name, 'RUNNER_NAME'),
    maxBuilds: flags.once ? 1 : asked,
    outputLimitBytes: outputLimit * 1024,
    stopTimeoutMs: stopTimeout * 1000,
    tags: setting(flags.tags, 'RUNNER_TAGS') ?? '',
  };
}

function parseFlags(args: string[], faults: string[]) {
  const text = { type: 'string' } as const;
  const options = {
    url: text,
    token: text,
    'token-file': text,
    concurrency: text,
    'builds-dir': text,
    name: text,
    tags: text,
    'output-limit': text,
    'max-builds': text,
    'stop-timeout': text,
    'cache-dir': text,
    'cache-limit': text,
    'unpack-limit': text,
    'unpack-entries': text,
    executor: text,
    'docker-image': text,
    'docker-pull-policy': text,
    once: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return { flags: values, words: positionals };
  } catch (error) {
    faults.push((error as Error).message);
    // Read on as far as possible, so that the other faults are told as well.
    const { values, positionals } = parseArgs({ args, options, strict: false });
    const known = Object.entries(values).filter(
      ([name, value]) => name in options && typeof value === options[name as keyof typeof options].type,
    );
    type Flags = ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];
    return { flags: Object.fromEntries(known) as Flags, words: positionals };
  }
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : '';
}
