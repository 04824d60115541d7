import { parseAddress } from './repository-address.js';

it.each([
  [
    'https://example.com/a/b.git',
    { scheme: 'https', url: 'https://example.com/a/b.git', host: 'example.com', port: 443 },
  ],
  ['HTTP://Example.COM.:8080/a', { scheme: 'http', url: 'http://example.com:8080/a', host: 'example.com', port: 8080 }],
  ['http://0x7f.1/a', { scheme: 'http', url: 'http://127.0.0.1/a', host: '127.0.0.1', port: 80 }],
  [
    'https://münchen.example/a',
    { scheme: 'https', url: 'https://xn--mnchen-3ya.example/a', host: 'xn--mnchen-3ya.example', port: 443 },
  ],
  ['https://[::1]:444/a', { scheme: 'https', url: 'https://[::1]:444/a', host: '::1', port: 444 }],
  [
    'ssh://git@example.com:2222/a',
    { scheme: 'ssh', url: 'ssh://git@example.com:2222/a', host: 'example.com', port: 2222 },
  ],
  ['ssh://example.com/~/a', { scheme: 'ssh', url: 'ssh://example.com/~/a', host: 'example.com', port: 22 }],
  [
    'git@example.com:team/app.git',
    { scheme: 'ssh', url: 'git@example.com:team/app.git', host: 'example.com', port: 22 },
  ],
  ['git@[::1]:app', { scheme: 'ssh', url: 'git@[::1]:app', host: '::1', port: 22 }],
  ['/srv/git/a b.git/', { scheme: 'file', path: '/srv/git/a b.git' }],
  ['/srv/x/../git//a', { scheme: 'file', path: '/srv/git/a' }],
  ['file:///srv/git/a%20b', { scheme: 'file', path: '/srv/git/a b' }],
])('%j', (address, parsed) => {
  expect(parseAddress(address)).toEqual(parsed);
});

it.each([
  '',
  'x',
  'example.com:a',
  'git@example.com://a',
  'git@example.com:-a',
  'http://u:p@x/',
  'http://u@x/',
  'https://x/#a',
  'file://x/a',
  'file:/a',
  'file:///a%2fb',
  'file:///a%00b',
  'ext::x',
  'ssh://u:p@x/a',
  'ssh://-x/a',
  'https://x\n/a',
  ' https://x/a',
])('%j is refused', (address) => {
  expect(() => parseAddress(address)).toThrow(
    expect.objectContaining({ name: 'RepositoryUnreadable', transient: false }),
  );
});
