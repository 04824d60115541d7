import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { endGroup, GitFailed, ignoreBrokenPipe, type Git } from './git-command.js';

/** What git says about a name; `content` where it was asked for. Undefined stands for: no such object. */
export interface GitObject {
  sha: string;
  type: 'commit' | 'tree' | 'blob' | 'tag';
  size: number;
  content?: Buffer;
}

/** `facts` answers with id, type and size, `contents` with the whole object too. */
export type ReaderKind = 'facts' | 'contents';

interface Question {
  left: number;
  answers: (GitObject | undefined)[];
  resolve(answers: (GitObject | undefined)[]): void;
  reject(error: GitFailed): void;
  limit: NodeJS.Timeout;
}

/**
 * One long-lived `git cat-file`, asked over a pipe: some microseconds per name where a process per name costs milliseconds. It sees
 * every ref as it is at that moment, packed or not, and objects that arrived later (object-reader.int.spec.ts). Only names
 * without a line break may be asked; `--batch` alone, since `--batch-command` and `-z` need git 2.36 and 2.38.
 */
export class ObjectReader {
  readonly startedAt = performance.now();
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #questions: Question[] = [];
  #ended: GitFailed | undefined;
  #stderr = '';
  #chunks: Buffer[] = [];
  #buffered = 0;
  /** Bytes that must be there before reading on makes sense. */
  #needed = 1;

  /** @param onEnd called once, when no further question can be asked */
  constructor(
    git: Git,
    gitDirectory: string,
    private readonly kind: ReaderKind,
    private readonly limitMs: number,
    private readonly onEnd: () => void,
  ) {
    const mode = kind === 'facts' ? '--batch-check' : '--batch';
    this.#child = spawn('git', [`--git-dir=${gitDirectory}`, 'cat-file', mode], {
      env: git.environment(),
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stdin.on('error', ignoreBrokenPipe);
    this.#child.stdout.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#child.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => (this.#stderr = (this.#stderr + text).slice(-4_096)));
    this.#child.on('error', () => this.#end('start'));
    this.#child.on('close', () => this.#end('exit'));
  }

  get busy(): boolean {
    return this.#questions.length > 0;
  }

  /**
   * Asks for some names at once; they are looked up one straight after the other.
   * @throws GitFailed: `time` when the answer took too long, `exit` or `stopped` when the process ended before
   */
  ask(names: readonly string[]): Promise<(GitObject | undefined)[]> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const question: Question = {
        left: names.length,
        answers: [],
        resolve,
        reject,
        limit: setTimeout(() => {
          this.#questions.splice(this.#questions.indexOf(question), 1);
          reject(new GitFailed('', 'time'));
          this.kill();
        }, this.limitMs),
      };
      this.#questions.push(question);
      this.#child.stdin.write(names.map((name) => `${name}\n`).join(''));
    });
  }

  /** Answers what was asked and then ends. */
  retire(): void {
    this.#child.stdin.end();
    if (!this.busy) this.kill();
  }

  /** Ends at once; what waits for an answer fails as `stopped`. */
  kill(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) endGroup(this.#child);
    this.#end('stopped');
  }

  /** Resolves when the process is gone. */
  async closed(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) return;
    await new Promise((resolve) => this.#child.once('close', resolve));
  }

  #end(ending: GitFailed['ending']): void {
    if (this.#ended) return;
    this.#ended = new GitFailed(this.#stderr, ending);
    for (const question of this.#questions.splice(0)) {
      clearTimeout(question.limit);
      question.reject(this.#ended);
    }
    this.onEnd();
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered < this.#needed) return;
    let data = Buffer.concat(this.#chunks);
    for (;;) {
      const line = data.indexOf(10);
      if (line < 0) {
        this.#needed = data.length + 1;
        break;
      }
      // Anything else (missing, ambiguous, submodule) is no object.
      const found = /^([0-9a-f]{40,64}) (commit|tree|blob|tag) (\d+)$/.exec(data.toString('latin1', 0, line));
      const size = Number(found?.[3] ?? 0);
      const end = found && this.kind === 'contents' ? line + 1 + size + 1 : line + 1;
      if (data.length < end) {
        this.#needed = end;
        break;
      }
      this.#answer(
        found
          ? {
              sha: found[1]!,
              type: found[2] as GitObject['type'],
              size,
              ...(this.kind === 'contents' && { content: data.subarray(line + 1, end - 1) }),
            }
          : undefined,
      );
      data = data.subarray(end);
    }
    this.#chunks = data.length > 0 ? [data] : [];
    this.#buffered = data.length;
    if (data.length === 0) this.#needed = 1;
  }

  #answer(answer: GitObject | undefined): void {
    const question = this.#questions[0];
    if (!question) return;
    question.answers.push(answer);
    question.left -= 1;
    if (question.left > 0) return;
    this.#questions.shift();
    clearTimeout(question.limit);
    question.resolve(question.answers);
  }
}
