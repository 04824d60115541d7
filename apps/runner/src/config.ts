import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { RunnerOptions } from './runner.js';

export interface RunnerConfig extends RunnerOptions {
  concurrency: number;
  /** Shown at the start only: which jobs come is decided by the tags that the coordinator has for the runner. */
  tags: string;
}

/** All that is wrong with the configuration, one sentence each. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The runner's configuration is wrong:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}

export const USAGE = `Usage: node dist/apps/runner/src/main.js --url URL --token TOKEN [options]

Takes jobs from a GitLab-compatible coordinator and runs them in bash with the rights of this user.

  --url URL              the coordinator, without /api/v4                        (RUNNER_URL)
  --token TOKEN          runner authentication token, glrt-...; other users can
                         see it in the process list: prefer the next one         (RUNNER_TOKEN)
  --token-file FILE      file that holds the token                               (RUNNER_TOKEN_FILE)
  --concurrency N        jobs at once, 1 to 256; default 1                       (RUNNER_CONCURRENCY)
  --builds-dir DIR       checkouts; one directory for each runner process;
                         default ./data/builds                                   (RUNNER_BUILDS_DIR)
  --name NAME            shown in job logs; default the host name                (RUNNER_NAME)
  --tags LIST            shown at the start only; the coordinator decides        (RUNNER_TAGS)
  --output-limit KIB     largest output of a job in KiB; default 4096            (RUNNER_OUTPUT_LIMIT)
  --max-builds N         end after N jobs                                        (RUNNER_MAX_BUILDS)
  --once                 the same as --max-builds 1
  --help

SIGTERM and SIGINT end it: running jobs have 10 seconds. SIGQUIT lets them finish.`;

/**
 * Reads flags and environment, flags first.
 * @returns undefined when help was asked for
 * @throws {ConfigError} with every fault at once
 */
export function readConfig(args: string[], env: NodeJS.ProcessEnv): RunnerConfig | undefined {
  const faults: string[] = [];
  const flags = parseFlags(args, faults);
  if (flags.help) return undefined;
  const setting = (flag: string | undefined, name: string) => flag ?? (env[name] === '' ? undefined : env[name]);
  const whole = (text: string | undefined, what: string, otherwise: number | undefined, most: number) => {
    if (text === undefined) return otherwise;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
    faults.push(`${what} must be a whole number from 1 to ${most}, not ${JSON.stringify(text)}`);
    return otherwise;
  };

  const url = setting(flags.url, 'RUNNER_URL');
  if (url === undefined)
    faults.push('the coordinator is missing: give --url or RUNNER_URL, such as http://127.0.0.1:8080');
  else if (!/^https?:$/.test(protocolOf(url)))
    faults.push(`--url must be an http or https URL, not ${JSON.stringify(url)}`);

  const tokenFile = setting(flags['token-file'], 'RUNNER_TOKEN_FILE');
  let token = setting(flags.token, 'RUNNER_TOKEN');
  if (flags.token !== undefined && flags['token-file'] !== undefined)
    faults.push('give --token or --token-file, not both');
  else if (token === undefined && tokenFile === undefined) {
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

  const concurrency = whole(setting(flags.concurrency, 'RUNNER_CONCURRENCY'), 'the concurrency', 1, 256)!;
  const outputLimit = whole(
    setting(flags['output-limit'], 'RUNNER_OUTPUT_LIMIT'),
    'the output limit (KiB)',
    4096,
    1024 * 1024,
  )!;
  const asked = whole(setting(flags['max-builds'], 'RUNNER_MAX_BUILDS'), 'the number of builds', undefined, 1_000_000);
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    url: url!,
    token: token!,
    buildsDir: setting(flags['builds-dir'], 'RUNNER_BUILDS_DIR') ?? 'data/builds',
    concurrency,
    name: setting(flags.name, 'RUNNER_NAME'),
    maxBuilds: flags.once ? 1 : asked,
    outputLimitBytes: outputLimit * 1024,
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
    once: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    faults.push((error as Error).message);
    // Read on as far as possible, so that the other faults are told as well.
    const loose = Object.entries(parseArgs({ args, options, strict: false }).values);
    const known = loose.filter(
      ([name, value]) => name in options && typeof value === options[name as keyof typeof options].type,
    );
    return Object.fromEntries(known) as Partial<ReturnType<typeof parseArgs<{ options: typeof options }>>['values']>;
  }
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : '';
}
