import { AddressFilter, reachOf } from './address-filter.js';

describe('reachOf', () => {
  it.each([
    ['93.184.216.34', 'public'],
    ['1.1.1.1', 'public'],
    ['2606:4700::1111', 'public'],
    ['::ffff:1.1.1.1', 'public'],
    ['172.15.255.255', 'public'],
    ['172.32.0.1', 'public'],
    ['10.0.0.1', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.0.1', 'private'],
    ['100.64.0.1', 'private'],
    ['fd00::1', 'private'],
    ['::ffff:10.0.0.1', 'private'],
    ['::ffff:a00:1', 'private'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['0.0.0.0', 'never'],
    ['0.1.2.3', 'never'],
    ['::', 'never'],
    ['::127.0.0.1', 'never'],
    ['169.254.169.254', 'never'],
    ['::ffff:169.254.169.254', 'never'],
    ['100.100.100.200', 'never'],
    ['192.0.0.192', 'never'],
    ['fd00:ec2::254', 'never'],
    ['fe80::1', 'never'],
    ['224.0.0.1', 'never'],
    ['255.255.255.255', 'never'],
    ['ff02::1', 'never'],
    ['64:ff9b::10.0.0.1', 'never'],
    ['2002:7f00:1::', 'never'],
    ['2001:0:1::', 'never'],
  ])('%s is %s', (address, reach) => {
    expect(reachOf(address)).toBe(reach);
  });
});

describe('AddressFilter', () => {
  const allows = async (rules: Partial<ConstructorParameters<typeof AddressFilter>[0]>, host: string) =>
    new AddressFilter({ schemes: [], privateHosts: [], loopback: false, ...rules }).approveHost(host, 1_000).then(
      () => true,
      () => false,
    );

  it.each([
    [{}, '1.1.1.1', true],
    [{}, '10.0.0.1', false],
    [{ privateHosts: 'any' as const }, '10.0.0.1', true],
    [{ privateHosts: 'any' as const }, '127.0.0.1', false],
    [{ privateHosts: 'any' as const }, '169.254.169.254', false],
    [{ privateHosts: ['10.0.0.0/8'] }, '10.1.2.3', true],
    [{ privateHosts: ['10.0.0.0/8'] }, '192.168.0.1', false],
    [{ privateHosts: ['10.0.0.1'] }, '10.0.0.2', false],
    [{ privateHosts: ['fd12::/16'] }, 'fd12::1', true],
    [{ privateHosts: ['169.254.1.1'] }, '169.254.1.1', true],
    [{ loopback: true }, '127.0.0.1', true],
    [{ loopback: true }, '::1', true],
    [{ loopback: true }, '10.0.0.1', false],
  ])('with %j, %s: %s', async (rules, host, allowed) => {
    expect(await allows(rules, host)).toBe(allowed);
  });

  it('names the schemes that are allowed', () => {
    const filter = new AddressFilter({ schemes: ['https', 'ssh'], privateHosts: [], loopback: false });
    expect(() => filter.checkScheme({ scheme: 'file', path: '/x' })).toThrow(
      'file addresses are not allowed here (allowed: https, ssh)',
    );
  });
});
