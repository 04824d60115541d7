/**
 * What a job's processes inherit: nothing that is not named here, so no secret of whoever started the runner (architecture.md §5.5).
 * The certificates' variables are paths only, without which git and curl fail behind a company's own authority.
 */
const INHERITED = [
  'PATH', 'LANG', 'LANGUAGE', 'LC_ALL', 'LC_CTYPE', 'LC_MESSAGES', 'TZ', 'TERM', 'USER', 'LOGNAME',
  'SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO',
]; // prettier-ignore

/** What of an environment may be handed on to a job. */
export function inheritedOf(own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(INHERITED.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]]])));
}

/** @param home the job's own home, never the operator's */
export function jobEnvironment(own: NodeJS.ProcessEnv, home: string): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    TERM: 'dumb',
    ...inheritedOf(own),
    HOME: home,
    SHELL: '/bin/bash',
    GIT_TERMINAL_PROMPT: '0',
  };
}
