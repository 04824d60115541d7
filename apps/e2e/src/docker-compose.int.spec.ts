import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';
import { readConfig as readGatewayConfig } from '../../gateway/src/config.js';
import { readConfig as readPipelineServiceConfig } from '../../pipeline-service/src/config.js';
import { readConfig as readRunnerConfig } from '../../runner/src/config.js';
import { readConfig as readTokenServiceConfig } from '../../token-service/src/config.js';

/** What can be said of docker-compose.yml and the files around it without a Docker: that each process gets what it reads, and nothing else. */
const root = fileURLToPath(new URL('../../..', import.meta.url));
const textOf = (path: string) => readFileSync(join(root, path), 'utf8');
const compose = textOf('docker-compose.yml');
const { services } = load(compose) as { services: Record<string, { environment: Record<string, string> }> };

/** Reads the environment of a container. The runner opens the file of its token, too, which in its container `register-runner` has made. */
const processes: Record<string, (env: NodeJS.ProcessEnv) => unknown> = {
  gateway: readGatewayConfig,
  'token-service': readTokenServiceConfig,
  'pipeline-service': readPipelineServiceConfig,
  runner: (env) => readRunnerConfig([], withTokenFile(env)),
};

/** An empty clone, as far as docker/make-env needs one. */
let clone: string;
let settings: Record<string, string>;

beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), 'flagfall-compose-'));
  cpSync(join(root, '.env.example'), join(clone, '.env.example'));
  cpSync(join(root, 'docker'), join(clone, 'docker'), { recursive: true });
  execFileSync(join(clone, 'docker/make-env'));
  settings = assignments(readFileSync(join(clone, '.env'), 'utf8'));
});

afterAll(() => rmSync(clone, { recursive: true }));

describe('docker/make-env', () => {
  it('makes a secret of its own for every empty setting', () => {
    const empty = Object.entries(assignments(textOf('.env.example'))).filter(([, value]) => /^(glpat-)?$/.test(value));
    expect(empty.map(([name]) => name).sort()).toEqual(namesIn(compose, /\$\{(\w+):\?/g));
    const secrets = empty.map(([name]) => settings[name]);
    for (const secret of secrets) expect(secret).toMatch(/^(glpat-)?[0-9a-f]{48}$/);
    expect(new Set(secrets).size).toBe(secrets.length);
    expect(statSync(join(clone, '.env')).mode & 0o777).toBe(0o600);
  });

  it('keeps an .env that is there', () => {
    const before = readFileSync(join(clone, '.env'), 'utf8');
    expect(() => execFileSync(join(clone, 'docker/make-env'), { stdio: 'pipe' })).toThrow('.env is there already');
    expect(readFileSync(join(clone, '.env'), 'utf8')).toBe(before);
  });
});

test('.env.example has every setting of docker-compose.yml, and no other', () => {
  const offered = namesIn(textOf('.env.example'), /^(?:# )?([A-Z_]+)=/gm);
  expect(offered).toEqual(namesIn(compose, /\$\{(\w+)/g));
});

test.each(Object.keys(processes))('%s reads everything that it is told, and can start with it', (name) => {
  const told = Object.keys(services[name]!.environment);
  expect(told.filter((variable) => !variablesReadBy(name).has(variable))).toEqual([]);
});

test.each([
  ['register-runner', 'docker/register-runner.mjs'],
  ['database-roles', 'docker/database-roles.sql'],
])('%s reads everything that it is told', (service, file) => {
  // PG… is for psql itself.
  const told = Object.keys(services[service]!.environment).filter((variable) => !variable.startsWith('PG'));
  expect(told.filter((variable) => !new RegExp(`\\b${variable}\\b`).test(textOf(file)))).toEqual([]);
});

test('the image sets what one of its processes reads', () => {
  const read = new Set(Object.keys(processes).flatMap((name) => [...variablesReadBy(name)]));
  const others = Object.keys(imageEnvironment()).filter((variable) => !read.has(variable));
  expect(others).toEqual(['NODE_ENV']);
});

test('docs/operating.md has every variable of the services', () => {
  const documented = namesIn(textOf('docs/operating.md'), /`([A-Z_]+)`/g);
  const read = ['gateway', 'token-service', 'pipeline-service'].flatMap((name) => [...variablesReadBy(name)]);
  expect(read.filter((variable) => !documented.includes(variable))).toEqual([]);
});

/** @throws ConfigError when what the container is told is wrong */
function variablesReadBy(process: string): Set<string> {
  const read = new Set<string>();
  const told = new Proxy<NodeJS.ProcessEnv>(
    { ...imageEnvironment(), ...environmentOf(process) },
    {
      get(env, name: string) {
        read.add(name);
        return env[name];
      },
    },
  );
  processes[process]!(told);
  return read;
}

/** What Compose makes of a service's environment with the settings in .env. */
function environmentOf(service: string): Record<string, string> {
  const filled = Object.entries(services[service]!.environment).map(([name, value]) => [
    name,
    value.replace(
      /\$\{(\w+)(?::[-?]([^}]*))?\}/g,
      (_, setting: string, otherwise = '') => settings[setting] || otherwise,
    ),
  ]);
  return Object.fromEntries(filled);
}

/** The ENV instruction of the Dockerfile. */
function imageEnvironment(): Record<string, string> {
  const [, instruction = ''] = /^ENV ((?:.*\\\n)*.*)/m.exec(textOf('Dockerfile')) ?? [];
  return assignments(instruction, /(\w+)=(\S+)/g);
}

function withTokenFile(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const file = join(clone, 'token');
  writeFileSync(file, 'glrt-token');
  return new Proxy(env, {
    get: (told, name: string) => (told[name] && name === 'RUNNER_TOKEN_FILE' ? file : told[name]),
  });
}

function assignments(text: string, pattern = /^([A-Z_]+)=(.*)$/gm): Record<string, string> {
  return Object.fromEntries([...text.matchAll(pattern)].map(([, name, value]) => [name, value]));
}

/** What the pattern's group finds, once each and sorted. */
function namesIn(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].sort();
}
