import { constants } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';

/**
 * A directory that one process has for itself, shown by a socket in it that answers: two runners in one builds directory would put
 * their jobs in the same checkouts. A process that dies leaves a socket that does not answer, which the next one replaces.
 */
export class DirectoryLock {
  private constructor(
    private readonly server: net.Server,
    private readonly directory: FileHandle,
  ) {}

  /** @returns undefined while another process has it */
  static async take(path: string): Promise<DirectoryLock | undefined> {
    const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    // A socket's path may have some hundred bytes; Linux knows a short one for any directory.
    const socket = process.platform === 'linux' ? `/proc/self/fd/${directory.fd}/lock` : join(path, 'lock');
    for (;;) {
      const server = net.createServer((connection) => connection.destroy()).unref();
      const failure = await listen(server, socket);
      if (failure === undefined) return new DirectoryLock(server, directory);
      if (failure.code !== 'EADDRINUSE' || (await answers(socket))) {
        await directory.close();
        if (failure.code === 'EADDRINUSE') return undefined;
        throw failure;
      }
      await rm(join(path, 'lock'), { force: true });
    }
  }

  async release(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
    await this.directory.close();
  }
}

function listen(server: net.Server, path: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once('error', resolve);
    server.listen(path, () => resolve(undefined));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = net.connect(path);
    connection.on('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.on('error', () => resolve(false));
  });
}
