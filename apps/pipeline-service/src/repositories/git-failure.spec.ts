import { GitFailed } from './git-command.js';
import { describeFailure, isLockConflict, isMissingObject } from './git-failure.js';

it.each([
  ["fatal: unable to access 'http://x/': The requested URL returned error: 503", true, /internal error/],
  ["fatal: unable to access 'https://x/': Could not resolve host: x", true, /could not be resolved/],
  [
    "fatal: unable to access 'https://x/': Failed to connect to x port 443 after 3 ms: Couldn't connect to server",
    true,
    /refuses connections/,
  ],
  ["fatal: unable to access 'https://x/': Failed to connect to x port 443: Connection timed out", true, /in time/],
  ['fatal: the remote end hung up unexpectedly', true, /could not read/],
  ["fatal: could not read Username for 'https://x': terminal prompts disabled", false, /access was refused/],
  ["fatal: Authentication failed for 'https://x/'", false, /access was refused/],
  ["fatal: unable to access 'http://x/': The requested URL returned error: 403", false, /access was refused/],
  ['git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.', false, /access was refused/],
  ['Host key verification failed.\nfatal: Could not read from remote repository.', false, /SSH_KNOWN_HOSTS_FILE/],
  ["fatal: repository 'https://x/' not found", false, /no git repository/],
  ["fatal: unable to access 'https://x/': SSL certificate problem: self-signed certificate", false, /no authority/],
  ["fatal: unable to access 'https://x/': SSL certificate problem: certificate has expired", false, /has expired, or/],
  [
    "fatal: unable to access 'https://x/': SSL: no alternative certificate subject name matches target host name 'x'",
    false,
    /another name/,
  ],
  [
    "fatal: unable to access 'https://x/': error setting certificate verify locations:  CAfile: secret CApath: none",
    true,
    /GIT_SSL_CAINFO/,
  ],
  [
    "fatal: unable to access 'https://x/': error:0A00010B:SSL routines::wrong version number",
    false,
    /does not speak TLS/,
  ],
  [
    "fatal: unable to access 'https://x/': error:0A000410:SSL routines::sslv3 alert handshake failure",
    false,
    /refuses the TLS/,
  ],
  ["fatal: unable to access 'https://x/': gnutls_handshake() failed: Handshake failed", false, /refuses the TLS/],
  [
    "fatal: unable to access 'https://x/': GnuTLS recv error (-12): A TLS fatal alert has been received.",
    false,
    /refuses the TLS/,
  ],
  ["fatal: unable to access 'https://x/': Send failure: Broken pipe", true, /the connection to the server broke/],
  [
    "fatal: unable to access 'https://x/': OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to x",
    true,
    /broke off/,
  ],
  ["fatal: unable to access 'http://x/': The requested URL returned error: 302", false, /redirects/],
  ["fatal: transport 'ext' not allowed", false, /not allowed/],
  ['something new with a secret', true, /^git could not read it$/],
])('%j', (stderr, transient, reason) => {
  const failure = describeFailure(new GitFailed(stderr, 'exit'), 30_000);
  expect(failure).toMatchObject({ transient, reason: expect.stringMatching(reason) });
  expect(failure.message).not.toContain('secret');
});

it('names the limit', () => {
  expect(describeFailure(new GitFailed('', 'time'), 30_000).message).toBe(
    'Repository could not be read: no answer within 30 s',
  );
});

it('knows locks and missing objects', () => {
  expect(
    isLockConflict(
      new GitFailed("error: cannot lock ref 'refs/heads/x': Unable to create '/m/x.lock': File exists.", 'exit'),
    ),
  ).toBe(true);
  expect(isLockConflict(new GitFailed('cannot lock ref', 'time'))).toBe(false);
  expect(isMissingObject(new GitFailed('fatal: remote error: upload-pack: not our ref 1111', 'exit'))).toBe(true);
  expect(isMissingObject(new Error('not our ref'))).toBe(false);
});
