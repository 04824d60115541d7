import { isIP, isIPv6 } from 'node:net';
import type { AddressFilter } from './address-filter.js';
import type { Git } from './git-command.js';
import { locateGitDirectory } from './git-directory.js';
import { parseAddress, type RepositoryAddress } from './repository-address.js';
import { RepositoryUnreadable } from './repository-errors.js';

/** How git reaches a repository: what `git fetch` needs beside the refspecs. */
export interface GitSource {
  url: string;
  protocols: string[];
  /** `-c` arguments. */
  settings: string[];
  env: Record<string, string>;
  credentials?: { username: string; password: string };
}

export interface SourceOptions {
  cacheDir: string;
  limitMs: number;
  sshKeyFile?: string;
  sshKnownHostsFile?: string;
}

/** Turns the address of a repository into a source that is approved at this moment and pinned to what was approved. */
export class GitSources {
  #pins: Promise<boolean> | undefined;

  constructor(
    private readonly git: Git,
    private readonly filter: AddressFilter,
    private readonly options: SourceOptions,
  ) {}

  /** @throws RepositoryUnreadable when the address is not allowed, or names nothing */
  async approve({ url, credentials }: Pick<RepositoryAddress, 'url' | 'credentials'>): Promise<GitSource> {
    const address = parseAddress(url);
    this.filter.checkScheme(address);
    if (address.scheme === 'file') {
      const directory = await locateGitDirectory(address.path, this.options);
      return { url: directory, protocols: ['file'], settings: [], env: {} };
    }
    const addresses = await this.filter.approveHost(address.host, this.options.limitMs);
    const source = { url: address.url, protocols: [address.scheme], settings: [], env: {} };
    if (address.scheme === 'ssh')
      return { ...source, env: this.#sshEnvironment(address.host, address.port, addresses[0]!) };

    // The credential protocol is made of lines.
    if (credentials && /[\r\n\0]/.test(credentials.username + credentials.password)) {
      throw new RepositoryUnreadable({
        transient: false,
        reason: 'the credentials have characters that git cannot send',
      });
    }
    const seconds = Math.ceil(this.options.limitMs / 1000);
    const settings = [
      'http.followRedirects=false',
      'http.proxy=',
      // Ends a fetch whose service was killed and that nobody watches any more.
      'http.lowSpeedLimit=1',
      `http.lowSpeedTime=${seconds}`,
    ];
    if (!isIP(address.host)) {
      await this.#requirePins();
      const pinned = addresses.map((ip) => (isIPv6(ip) ? `[${ip}]` : ip)).join(',');
      settings.push(`http.curloptResolve=${address.host}:${address.port}:${pinned}`);
    }
    return { ...source, settings: settings.flatMap((setting) => ['-c', setting]), credentials };
  }

  /** git before 2.37 passes over `http.curloptResolve` in silence; asking a name without it would trust a second DNS answer. */
  async #requirePins(): Promise<void> {
    this.#pins ??= this.git.run({ args: ['--version'], limitMs: this.options.limitMs }).then((output) => {
      const [, major, minor] = /(\d+)\.(\d+)/.exec(output.toString('latin1')) ?? [];
      return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 37);
    });
    this.#pins.catch(() => (this.#pins = undefined));
    if (await this.#pins) return;
    throw new RepositoryUnreadable({
      transient: false,
      reason: 'git 2.37 or newer is needed here for http and https addresses',
    });
  }

  /** GIT_SSH_COMMAND goes through a shell: only quoted paths and checked host names and addresses stand in it. */
  #sshEnvironment(host: string, port: number, ip: string): Record<string, string> {
    const { sshKeyFile, sshKnownHostsFile } = this.options;
    const options = [
      'BatchMode=yes',
      'StrictHostKeyChecking=yes',
      `HostName=${ip}`,
      // The host is known by its name although its approved address is asked.
      `HostKeyAlias=${port === 22 ? host : `[${host}]:${port}`}`,
      ...(sshKnownHostsFile ? [`UserKnownHostsFile="${sshKnownHostsFile}"`] : []),
      ...(sshKeyFile ? [`IdentityFile="${sshKeyFile}"`] : []),
      'IdentitiesOnly=yes',
      'ClearAllForwardings=yes',
      `ConnectTimeout=${Math.ceil(this.options.limitMs / 1000)}`,
      'ServerAliveInterval=10',
      'ServerAliveCountMax=2',
    ];
    const words = ['ssh', '-F', '/dev/null', ...options.flatMap((option) => ['-o', option])];
    return {
      GIT_SSH_COMMAND: words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' '),
      GIT_SSH_VARIANT: 'ssh',
    };
  }
}
