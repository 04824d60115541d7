import { execFile, execFileSync, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const TOOLS = [
  'bash',
  'sh',
  'cat',
  'chmod',
  'chown',
  'env',
  'id',
  'ln',
  'ls',
  'mkdir',
  'rm',
  'sleep',
  'stat',
  'touch',
  'sed',
  'grep',
];

/** Why no test with Docker can run here; undefined where it answers. */
export function missingDocker(): string | undefined {
  try {
    execFileSync('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 15_000, stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no docker command' : 'Docker does not answer';
  }
}

/**
 * Makes an image of this machine's own shells, a few tools and Node, with the libraries they need: no registry has to be reached.
 * @param changes lines of a Dockerfile
 */
export async function importImage(name: string, changes: readonly string[] = []): Promise<void> {
  const programs = [...TOOLS.map((tool) => which(tool)), process.execPath];
  const libraries = new Set<string>();
  for (const program of programs) {
    const { stdout } = await promisify(execFile)('ldd', [program]).catch(() => ({ stdout: '' }));
    for (const [, path] of stdout.matchAll(/(\/[^\s:]+\.so[^\s:]*)/g)) libraries.add(path!);
  }
  // Programs under /bin, libraries where the loader looks for them; links are packed as what they lead to.
  const names = programs.map((path) => ({ from: path, to: `bin/${path.split('/').at(-1)}` }));
  const transforms = names.flatMap(({ from, to }) => ['--transform', `s|^${from.slice(1)}$|${to}|`]);
  const tar = spawn(
    'tar',
    ['-C', '/', '-ch', ...transforms, ...[...programs, ...libraries].map((path) => path.slice(1))],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const docker = spawn('docker', ['import', ...changes.flatMap((change) => ['--change', change]), '-', name], {
    stdio: [tar.stdout, 'ignore', 'inherit'],
  });
  const code = await new Promise((resolve) => docker.on('exit', resolve));
  if (code !== 0) throw new Error(`docker import ended with ${String(code)}`);
}

function which(name: string): string {
  return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
}
