import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** Where distributions put servers that are not on everybody's PATH. */
function places(): string[] {
  const versions = (directory: string): string[] => {
    try {
      return readdirSync(directory).map((version) => join(directory, version, 'bin'));
    } catch {
      return [];
    }
  };
  const newestFirst = versions('/usr/lib/postgresql').sort((one, other) =>
    other.localeCompare(one, 'en', { numeric: true }),
  );
  // Debian's /usr/sbin/rabbitmq-server is for root and its own user only; what it calls is for everybody.
  return ['/usr/lib/rabbitmq/bin', ...newestFirst, ...(process.env.PATH ?? '').split(delimiter)];
}

/** The path of a program, or undefined. */
export function programPath(name: string): string | undefined {
  return places()
    .map((place) => join(place, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The directory that has all of these. */
export function directoryWith(...names: string[]): string | undefined {
  return places().find((place) => names.every((name) => programPath(name) && isThere(join(place, name))));
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return dirname(path) !== '';
  } catch {
    return false;
  }
}
