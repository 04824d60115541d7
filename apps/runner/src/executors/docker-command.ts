import { execFile } from 'node:child_process';

/** No answer of Docker that this runner asks for comes near this. */
const LARGEST_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * Runs `docker` with the runner's own environment (the operator's DOCKER_HOST and context count, a job's do not) and returns what it
 * printed. Arguments that come from jobs must be checked before: nothing here parts options from operands.
 * @throws {DockerError} with what Docker said
 */
export function docker(
  args: readonly string[],
  { env, limitMs, signal }: { env: NodeJS.ProcessEnv; limitMs: number; signal?: AbortSignal },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env, timeout: limitMs, signal, maxBuffer: LARGEST_OUTPUT_BYTES };
    execFile('docker', args, options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout.trim());
      if (error.code === 'ENOENT')
        return reject(new DockerError('the docker command is not installed', { cause: error }));
      const said = stderr.trim().split('\n').slice(-3).join(' ');
      const late = error.killed ? `no answer within ${limitMs / 1000} s` : error.message;
      reject(new DockerError(said === '' ? late : said, { cause: error }));
    });
  });
}

export class DockerError extends Error {}
