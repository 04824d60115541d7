import { isExportable, type ReadyVariable } from './variables.js';

/** A text as one word of a shell, whatever it holds. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

interface ScriptSource {
  lines: readonly string[];
  variables: readonly ReadyVariable[];
  /** Where the file of a file variable lies. */
  filePath: (key: string) => string;
  cwd: string;
  /** `CI_DEBUG_TRACE`: the shell prints every command. */
  debugTrace: boolean;
}

/** dash before 0.5.13 and old busyboxes do not know it; asking them in this shell would end it. */
const PIPEFAIL =
  'if [ -n "${BASH_VERSION:-}" ]; then set -o pipefail; elif (set -o pipefail) 2>/dev/null; then set -o pipefail; fi';

/**
 * One script for all lines of a step, for bash and for any POSIX sh, as GitLab's runner builds it (runner-api.md §6.1): exports, the
 * directory, errexit and pipefail, then each entry printed (green, `$ ` first, only its first line) and run in the same shell.
 * Entries are text of the user and stand as they are, since a construct may span several of them; everything else is quoted.
 *
 * Variables are exported here and not given to the process, because a login shell's profiles would overwrite PATH and its like.
 */
export function generateScript({ lines, variables, filePath, cwd, debugTrace }: ScriptSource): string {
  return [
    ...variables
      .filter(isExportable)
      .map(({ key, value, file }) => `export ${key}=${quote(file ? filePath(key) : value)}`),
    `cd -- ${quote(cwd)} || exit 1`,
    PIPEFAIL,
    'set -e',
    'set +C',
    ...(debugTrace ? ['set -x'] : []),
    ...lines.flatMap(printAndRun),
    // The last entry's own status does not count where errexit let it pass (`test -f x && rm x`).
    'exit 0',
    '',
  ].join('\n');
}

function printAndRun(entry: string): string[] {
  const text = entry.trim();
  const [first = '', ...rest] = text.split('\n');
  const shown =
    first === ''
      ? ''
      : `\x1b[32;1m$ ${first.trimEnd()}${rest.length > 0 ? ' # collapsed multi-line command' : ''}\x1b[0;m`;
  // `command`: a function of the job's may be called printf.
  return [`command printf '%s\\n' ${quote(shown)}`, text];
}
