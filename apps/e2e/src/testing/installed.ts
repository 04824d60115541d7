import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The directory that holds all of these programs: on the PATH, or where distributions put servers that are not.
 * @returns undefined where there is none
 */
export function directoryWith(...names: string[]): string | undefined {
  return places().find((place) => names.every((name) => isProgram(join(place, name))));
}

/**
 * For suites that need programs which not every machine has: runs them where these are there, leaves them out loudly where not.
 * With CI=true they are not left out, and fail.
 */
export function describeWith(programs: string[][]): jest.Describe {
  const missing = programs.filter((names) => !directoryWith(...names));
  if (missing.length === 0 || process.env.CI === 'true') return describe;
  console.warn(`LEFT OUT, for want of ${missing.flat().join(', ')}: ${expect.getState().testPath}`);
  return describe.skip;
}

function places(): string[] {
  const versions = entries('/usr/lib/postgresql').sort((one, other) => Number(other) - Number(one));
  return [
    // Debian's /usr/sbin/rabbitmq-server is for root and its own user only; what it calls is for everybody.
    '/usr/lib/rabbitmq/bin',
    ...versions.map((version) => `/usr/lib/postgresql/${version}/bin`),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
