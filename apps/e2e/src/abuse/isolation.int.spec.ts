// needs: rabbitmq, postgresql
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startsFlagfall } from '../testing/flagfall.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';

/** In the environment of every process here, as a secret of the operator's might be. */
const canary = 'canary-of-the-operator';

/** Prints what a job gets of its runner, each part behind a line of its own. */
const look = `
look:
  script:
    - |
      part() { echo "=== $1"; }
      part environment; env; tr '\\0' '\\n' < /proc/self/environ
      part descriptors; ls -l /proc/self/fd
      part places; echo "cwd $(pwd)"; echo "home $HOME"; echo "tmp $TMPDIR"; ls -A $HOME
      part git; git config --list --show-origin
      part sessions; cut -d ' ' -f 4-6 /proc/$$/stat
      part umask; umask
      part end
`;
/** Hits everything that it may have been started with. */
const kill = `
kill:
  script:
    - trap '' TERM INT HUP
    - kill -TERM 0; kill -INT 0; kill -HUP 0
    - echo survived itself
`;

const runners = [
  ['apps/runner', {}],
  ['the built-in runner', { standalone: true, environment: { RUNNER_CONCURRENCY: '1' } }],
] as const;

/** `npm start` and a runner of its own give a job what belongs to it, and nothing else that they have themselves. */
describe.each(runners)(
  'a job of %s',
  (kind, { environment = {}, ...options }: { standalone?: boolean; environment?: Record<string, string> }) => {
    const flagfall = startsFlagfall({
      name: 'isolation',
      ...options,
      environment: {
        REQUEST_HOLD_MS: '0',
        ...environment,
        CANARY: canary,
        GIT_ASKPASS: `/bin/${canary}`,
        SSH_AUTH_SOCK: `/tmp/${canary}`,
        BASH_ENV: `/tmp/${canary}`,
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: `${canary}.key`,
        GIT_CONFIG_VALUE_0: canary,
        NPM_TOKEN: canary,
        AWS_SECRET_ACCESS_KEY: canary,
        NODE_OPTIONS: '--no-warnings',
      },
    });
    let parts: Record<string, string[]>;
    let runnerPid: number;

    beforeAll(async () => {
      // The home of whoever started it all.
      const home = flagfall.installation.directory;
      await writeFile(
        join(home, '.gitconfig'),
        `[credential]\n\thelper = "!echo ${canary}"\n[user]\n\tname = ${canary}\n`,
      );
      await writeFile(join(home, '.profile'), `echo ${canary}\n`);
      await writeFile(join(home, '.netrc'), `machine localhost login x password ${canary}\n`, { mode: 0o600 });
      const runner = kind === 'apps/runner' ? await flagfall.startRunner() : flagfall.programs[0]!;
      runnerPid = runner.pid;
      const log = await run(look, 'look');
      parts = Object.fromEntries(
        log
          .split('\n=== ')
          .slice(1)
          .map((part) => {
            const [name = '', ...lines] = part.split('\n');
            return [name, lines];
          }),
      );
    });

    async function run(config: string, job: string): Promise<string> {
      const project = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
      const { id } = await project.trigger();
      await project.finished(id);
      return project.log(id, job);
    }

    it('has an environment of its own: what is named, and what GitLab defines', () => {
      const names = new Set(
        parts['environment']!.map((line) => /^([A-Za-z_]\w*)=/.exec(line)?.[1]).filter((name) => name !== undefined),
      );
      expect(names.has('CI_JOB_ID')).toBe(true);
      const own =
        /^(?:CI|CI_\w+|GITLAB_\w+|FLAGFALL_\w+|TRIGGER_PAYLOAD|PATH|LANG|LANGUAGE|LC_\w+|TZ|TERM|USER|LOGNAME|HOME|SHELL|PWD|OLDPWD|SHLVL|_|GIT_TERMINAL_PROMPT|GIT_CEILING_DIRECTORIES|RUNNER_TEMP_PROJECT_DIR|SSL_CERT_\w+|GIT_SSL_CAINFO|FF_\w+)$/;
      expect([...names].filter((name) => !own.test(name))).toEqual([]);
    });

    it('finds nothing of the operator’s, wherever it looks', () => {
      const { databaseUrl, amqpUrl, rootToken } = flagfall.installation;
      const log = Object.values(parts).flat().join('\n');
      for (const secret of [canary, rootToken, databaseUrl, amqpUrl].filter((each) => each !== ''))
        expect(log).not.toContain(secret);
    });

    it('has three open files, none of them the runner’s', () => {
      const open = Object.fromEntries(
        parts['descriptors']!.flatMap((line) => {
          const [, number, path] = / (\d+) -> (.*)$/.exec(line) ?? [];
          return number && path ? [[number, path]] : [];
        }),
      );
      expect(open['0']).toBe('/dev/null');
      expect(open['1']).toMatch(/pipe/);
      expect(open['2']).toBe(open['1']);
      // The directory that is listed, and nothing in the place of what the runner itself was left.
      const others = Object.entries(open).filter(([number, path]) => Number(number) > 2 && path !== '/dev/null');
      expect(others).toEqual([[expect.any(String), expect.stringMatching(/^\/proc\/\d+\/fd$/)]]);
    });

    it('works in a directory and a home of its own', () => {
      const [cwd = '', home = '', tmp = '', ...files] = parts['places']!.filter(Boolean);
      const { directory } = flagfall.installation;
      expect(cwd).toMatch(/builds/);
      expect(home).not.toBe(`home ${directory}`);
      expect(home.slice('home '.length)).toMatch(/builds.*\.tmp/);
      expect(tmp).toBe('tmp ');
      expect(files.filter((name) => name !== '.gitconfig')).toEqual([]);
    });

    it('has git settings of its own alone: the credentials of its own clone', () => {
      const origins = new Set(parts['git']!.filter(Boolean).map((line) => line.split('\t')[0]!));
      const { directory } = flagfall.installation;
      expect(origins.has(`file:${directory}/.gitconfig`)).toBe(false);
      for (const origin of origins)
        expect(origin).toMatch(/^file:(?:\.git\/config|\/etc\/gitconfig|.*builds.*\/\.gitconfig)$/);
    });

    it('is in a session and a process group of its own', () => {
      const [, group, session] = parts['sessions']![0]!.split(' ').map(Number);
      const [, runnersGroup, runnersSession] = readFileSync(`/proc/${runnerPid}/stat`, 'utf8')
        .replace(/^.*\) . /, '')
        .split(' ')
        .map(Number);
      expect(group).toBe(session);
      expect(group).not.toBe(runnersGroup);
      expect(session).not.toBe(runnersSession);
    });

    it('that signals its whole process group reaches nobody else', async () => {
      expect(await run(kill, 'kill')).toContain('survived itself');
      // The next one is run as ever.
      expect(await run(look, 'look')).toContain('=== end');
      expect(flagfall.programs.every(({ running }) => running)).toBe(true);
      await until('everything to answer', async () => (await flagfall.call({ path: '//-/readiness' })).status === 200);
    });
  },
);
