import { GitFailed } from './git-command.js';
import { RepositoryUnreadable } from './repository-errors.js';

/** First match wins; texts of git 2.30 to 2.50, curl and OpenSSH in the C locale. Final: asking again changes nothing. */
const failures: { pattern: RegExp; transient: boolean; reason: string }[] = [
  { pattern: /returned error: 429/, transient: true, reason: 'the server asks for fewer requests' },
  { pattern: /(returned error: |HTTP )5\d\d/, transient: true, reason: 'the server reports an internal error' },
  {
    pattern:
      /Authentication failed|could not read (Username|Password)|returned error: 40[13]|Permission denied \(|HTTP Basic: Access denied/,
    transient: false,
    reason: 'access was refused; check the credentials',
  },
  {
    pattern: /Host key verification failed/,
    transient: false,
    reason: 'the SSH server is not known; add its key to SSH_KNOWN_HOSTS_FILE',
  },
  {
    pattern: /returned error: 3\d\d|unable to update url base from redirection/,
    transient: false,
    reason: 'the server redirects; use the address that it redirects to',
  },
  {
    pattern: /certificate has expired|certificate is not yet valid/,
    transient: false,
    reason: 'the certificate of the server has expired, or is not valid yet',
  },
  {
    pattern: /no alternative certificate subject name|certificate subject name .* does not match/,
    transient: false,
    reason: 'the certificate of the server is for another name',
  },
  {
    pattern: /self[- ]signed certificate|unable to get (local )?issuer certificate/,
    transient: false,
    reason:
      'no authority that is known here has signed the certificate of the server; GIT_SSL_CAINFO names more of them',
  },
  {
    // GnuTLS says no more than that.
    pattern: /SSL certificate problem|server certificate verification failed/,
    transient: false,
    reason:
      'the certificate of the server is not valid: it has expired, or no authority that is known here has signed it (GIT_SSL_CAINFO names more of them)',
  },
  {
    pattern: /error (setting certificate|reading ca cert)|Problem with the SSL CA cert/,
    transient: true,
    reason: 'the certificates of the authorities cannot be read; see GIT_SSL_CAINFO',
  },
  {
    pattern: /unexpected TLS packet|wrong version number|packet length too long/,
    transient: false,
    reason: 'the server does not speak TLS at this port; its address may begin with http://',
  },
  {
    pattern:
      /gnutls_handshake\(\) failed: Handshake failed|handshake failure|fatal alert|alert protocol version|unsupported protocol/i,
    transient: false,
    reason: 'the server refuses the TLS connection: it wants another version of TLS, or a certificate of its caller',
  },
  {
    pattern:
      /returned error: (404|410)|repository '.*' not found|does not appear to be a git repository|not a git repository|Repository not found|valid repository name|is this a git repository\?/i,
    transient: false,
    reason: 'there is no git repository at this address',
  },
  { pattern: /transport '.*' not allowed/, transient: false, reason: 'this kind of address is not allowed here' },
  { pattern: /mismatched algorithms/, transient: false, reason: 'its object format is not supported' },
  { pattern: /Could not resolve host/, transient: true, reason: 'the name of the server could not be resolved' },
  { pattern: /timed? ?out/i, transient: true, reason: 'the server did not answer in time' },
  {
    pattern: /gnutls_handshake|GnuTLS|SSL_ERROR_SYSCALL|SSL routines|unexpected eof/,
    transient: true,
    reason: 'the TLS connection to the server broke off',
  },
  {
    pattern: /(Send|Recv) failure|Connection reset|Empty reply from server/,
    transient: true,
    reason: 'the connection to the server broke off',
  },
  {
    pattern: /Connection refused|Failed to connect|Couldn't connect/,
    transient: true,
    reason: 'the server refuses connections',
  },
];

/** Whether another process held a lock of the same mirror; trying again helps. */
export function isLockConflict(error: unknown): boolean {
  return (
    error instanceof GitFailed &&
    error.ending === 'exit' &&
    /cannot lock ref|Unable to create '.*\.lock'|unable to lock/i.test(error.stderr)
  );
}

/** Whether git ended with neither an answer nor a complaint, as for two commits that have nothing in common. */
export function hasNothingToTell(error: unknown): boolean {
  return error instanceof GitFailed && error.ending === 'exit' && error.stderr.trim() === '';
}

/** Whether the remote repository answered that it has no such object. */
export function isMissingObject(error: unknown): boolean {
  return (
    error instanceof GitFailed &&
    error.ending === 'exit' &&
    /not our ref|unadvertised object|couldn't find remote ref|bad object|no such remote ref/i.test(error.stderr)
  );
}

/**
 * Says a failure of git in words for people. What git printed may quote the remote server, so nothing of it is repeated.
 * Anything unknown is taken for transient: it is tried again for a while, then reported.
 */
export function describeFailure(error: unknown, limitMs: number): RepositoryUnreadable {
  if (error instanceof RepositoryUnreadable) return error;
  if (!(error instanceof GitFailed))
    return new RepositoryUnreadable({ transient: true, reason: 'an internal error' }, { cause: error });
  switch (error.ending) {
    case 'time':
      return new RepositoryUnreadable({ transient: true, reason: `no answer within ${limitMs / 1000} s` });
    case 'stopped':
      return new RepositoryUnreadable({ transient: true, reason: 'the service is stopping' });
    case 'start':
      return new RepositoryUnreadable({ transient: true, reason: 'git could not be started' });
    case 'output':
      return new RepositoryUnreadable({ transient: false, reason: 'it is larger than can be read' });
    case 'exit': {
      const known = failures.find(({ pattern }) => pattern.test(error.stderr));
      return new RepositoryUnreadable(known ?? { transient: true, reason: 'git could not read it' });
    }
  }
}
