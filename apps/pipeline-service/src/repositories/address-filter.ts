import { lookup } from 'node:dns/promises';
import { BlockList, isIP, isIPv6 } from 'node:net';
import type { ParsedAddress, Scheme } from './repository-address.js';
import { RepositoryUnreadable } from './repository-errors.js';

export interface AddressRules {
  schemes: readonly Scheme[];
  /** Host names, addresses and networks (`10.1.0.0/16`) in private networks that may be asked; `any` allows all of these networks. */
  privateHosts: readonly string[] | 'any';
  /** Whether 127.0.0.0/8 and ::1 may be asked. */
  loopback: boolean;
}

type Reach = 'public' | 'private' | 'loopback' | 'never';

const loopback = networks(['127.0.0.0/8', '::1/128']);
/**
 * Link-local (with the metadata services of clouds), unspecified, multicast, reserved, and IPv6 forms that carry an IPv4 address past
 * the filter. Only an administrator who lists the address itself opens one of these, never a name or `any`.
 */
const never = networks([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '100.100.100.200/32',
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  'fe80::/10',
  'ff00::/8',
  'fd00:ec2::254/128',
]);
const privateNetworks = networks([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '198.18.0.0/15',
  'fc00::/7',
  'fec0::/10',
]);

/** Which kind of network an IP address belongs to. Pure; IPv4 inside `::ffff:0:0/96` counts as the IPv4 address. */
export function reachOf(address: string): Reach {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  if (loopback.check(address, family)) return 'loopback';
  if (never.check(address, family)) return 'never';
  if (privateNetworks.check(address, family)) return 'private';
  return 'public';
}

/** Says which addresses git may be sent to (architecture.md §4, REPOSITORY_SCHEMES and REPOSITORY_HOSTS). */
export class AddressFilter {
  readonly #names: ReadonlySet<string>;
  readonly #listed: BlockList;

  constructor(private readonly rules: AddressRules) {
    const listed = rules.privateHosts === 'any' ? [] : rules.privateHosts;
    this.#listed = networks(listed.filter(isNetwork));
    this.#names = new Set(listed.filter((host) => !isNetwork(host)).map((host) => host.toLowerCase()));
  }

  /** @throws RepositoryUnreadable, final, when addresses of this kind are not allowed */
  checkScheme(address: ParsedAddress): void {
    if (this.rules.schemes.includes(address.scheme)) return;
    const allowed = this.rules.schemes.join(', ') || 'none';
    throw new RepositoryUnreadable({
      transient: false,
      reason: `${address.scheme} addresses are not allowed here (allowed: ${allowed})`,
    });
  }

  /**
   * Resolves a host and gives its addresses, all of which may be asked. The caller connects to one of these and not to the name, since
   * a second answer of the name server may be another (dependencies.md §4.4).
   * @throws RepositoryUnreadable: final when one of the addresses is forbidden, transient when the name server gives none in `limitMs`
   */
  async approveHost(host: string, limitMs: number): Promise<string[]> {
    const addresses = isIP(host) ? [host] : await resolveName(host, limitMs);
    const forbidden = addresses.some((address) => !this.#allows(host, address));
    if (!forbidden) return addresses;
    throw new RepositoryUnreadable({
      transient: false,
      reason: `${host} is not a public address; an administrator can allow it with REPOSITORY_HOSTS`,
    });
  }

  #allows(host: string, address: string): boolean {
    if (this.#listed.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) return true;
    switch (reachOf(address)) {
      case 'public':
        return true;
      case 'private':
        return this.rules.privateHosts === 'any' || this.#names.has(host);
      case 'loopback':
        return this.rules.loopback;
      case 'never':
        return false;
    }
  }
}

async function resolveName(host: string, limitMs: number): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('time')), limitMs);
  });
  try {
    // A final dot keeps search domains of this machine out; names without any dot are meant to be found by them.
    const answers = await Promise.race([lookup(host, { all: true }), limit]);
    return answers.map(({ address }) => address);
  } catch (error) {
    const reason = `the name ${host} could not be resolved`;
    throw new RepositoryUnreadable({ transient: true, reason }, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function isNetwork(host: string): boolean {
  return isIP(host.split('/')[0]!) !== 0;
}

function networks(list: readonly string[]): BlockList {
  const networkList = new BlockList();
  for (const entry of list) {
    const [address = '', prefix] = entry.split('/');
    const ipv6 = isIPv6(address);
    networkList.addSubnet(address, prefix === undefined ? (ipv6 ? 128 : 32) : Number(prefix), ipv6 ? 'ipv6' : 'ipv4');
  }
  return networkList;
}
