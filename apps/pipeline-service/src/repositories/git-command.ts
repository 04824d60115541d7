import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** git ended with an error, did not end in time or wrote too much. For this folder only: `git-failure.ts` says it in words. */
export class GitFailed extends Error {
  override readonly name = 'GitFailed';
  constructor(
    readonly stderr: string,
    readonly ending: 'exit' | 'time' | 'output' | 'start' | 'stopped',
  ) {
    super(`git failed (${ending})`);
  }
}

export interface GitCall {
  args: string[];
  /** Transports that git may use, in the words of GIT_ALLOW_PROTOCOL; none when left out. */
  protocols?: string[];
  /** Milliseconds until the process group is ended. */
  limitMs: number;
  /** Bytes of standard output at most; 1 MiB when left out. */
  maxOutput?: number;
  input?: string;
  /** Given to git by a pipe that only its credential helper reads, so that they stand in no command line, environment or file. */
  credentials?: { username: string; password: string };
  env?: Record<string, string>;
}

/** Settings that nothing in a repository's own configuration may override, so they stand on the command line. */
const fixedSettings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'credential.helper=',
  'gc.auto=0',
  'maintenance.auto=false',
  'protocol.version=2',
].flatMap((setting) => ['-c', setting]);

/** Reads the credentials from descriptor 3; a second question finds it empty, and git gives up. */
const credentialHelper = 'credential.helper=!f() { test "$1" = get && cat <&3; }; f';

/**
 * git with nothing from outside that could change what it does: no system or user configuration, no agent, no prompt, only the
 * settings here. A HOME of our own rather than GIT_CONFIG_COUNT holds `safe.directory`, since git 2.30 to 2.37 reads that from
 * nowhere else, and `git fetch` hides GIT_CONFIG_COUNT from the `upload-pack` that it starts on a local path.
 */
export class Git {
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  #home: Promise<void> | undefined;

  constructor(private readonly home: string) {}

  /** What git is started with; `protocols` as in {@link GitCall}. */
  environment(protocols: string[] = []): Record<string, string> {
    const inherited = ['PATH', 'TMPDIR', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO', 'GIT_SSL_CAPATH'];
    return {
      ...Object.fromEntries(inherited.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
      HOME: this.home,
      LC_ALL: 'C',
      GIT_ALLOW_PROTOCOL: protocols.join(':') || 'none',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_ATTR_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: '',
      GIT_NO_LAZY_FETCH: '1',
      // Replaced objects and grafts would make what is cached by id untrue.
      GIT_NO_REPLACE_OBJECTS: '1',
      GIT_GRAFT_FILE: '/dev/null',
      GIT_OPTIONAL_LOCKS: '0',
    };
  }

  /** Writes the configuration that stands in HOME, once; every start of git waits for it. */
  prepare(): Promise<void> {
    this.#home ??= (async () => {
      await mkdir(this.home, { recursive: true });
      const draft = join(this.home, `.gitconfig.${process.pid}`);
      await writeFile(draft, '[safe]\n\tdirectory = *\n[transfer]\n\tbundleURI = false\n');
      // Renamed, so that another process never reads half of it.
      await rename(draft, join(this.home, '.gitconfig'));
    })();
    this.#home.catch(() => (this.#home = undefined));
    return this.#home;
  }

  /**
   * Runs git once, without a shell, and gives its standard output.
   * @throws GitFailed for every other end than exit code 0
   */
  async run(call: GitCall): Promise<Buffer> {
    await this.prepare();
    if (this.#stop.signal.aborted) throw new GitFailed('', 'stopped');
    const result = this.#start(call);
    this.#running.add(result);
    return result.finally(() => this.#running.delete(result));
  }

  /** Ends what runs and starts nothing any more; resolves when all processes are gone. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#running);
  }

  #start(call: GitCall): Promise<Buffer> {
    const credentials = call.credentials ? ['-c', credentialHelper] : [];
    return new Promise((resolve, reject) => {
      const child = spawn('git', [...fixedSettings, ...credentials, ...call.args], {
        env: { ...this.environment(call.protocols), ...call.env },
        detached: true,
        stdio: ['pipe', 'pipe', 'pipe', call.credentials ? 'pipe' : 'ignore'],
      });
      let ending: GitFailed['ending'] = 'exit';
      const stop = (why: GitFailed['ending']) => {
        if (ending !== 'exit') return;
        ending = why;
        endGroup(child);
      };
      const limit = setTimeout(() => stop('time'), call.limitMs);
      const abort = () => stop('stopped');
      this.#stop.signal.addEventListener('abort', abort);

      const output: Buffer[] = [];
      let bytes = 0;
      child.stdout!.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > (call.maxOutput ?? 1_048_576)) stop('output');
        else output.push(chunk);
      });
      let stderr = '';
      child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (stderr = (stderr + chunk).slice(-8_192)));
      child.stdin!.on('error', ignoreBrokenPipe).end(call.input ?? '');
      if (call.credentials) {
        const { username, password } = call.credentials;
        const pipe = child.stdio[3] as NodeJS.WritableStream;
        pipe.on('error', ignoreBrokenPipe);
        pipe.end(`username=${username}\npassword=${password}\n`);
      }

      const settle = (code: number | null) => {
        clearTimeout(limit);
        this.#stop.signal.removeEventListener('abort', abort);
        if (ending === 'exit' && code === 0) resolve(Buffer.concat(output));
        else reject(new GitFailed(stderr, ending));
      };
      child.on('error', () => {
        ending = 'start';
        settle(null);
      });
      child.on('close', settle);
    });
  }
}

/** The process at the other end is gone; its exit code tells the story. */
export function ignoreBrokenPipe(): void {}

/** Ends a process started `detached` and all that it started: asked first, so that git removes its lock files, forced after two seconds. */
export function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  signalGroup(child.pid, 'SIGTERM');
  const force = setTimeout(() => signalGroup(child.pid!, 'SIGKILL'), 2_000);
  child.once('close', () => clearTimeout(force));
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Already gone.
  }
}
