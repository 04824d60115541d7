/** Raised when variables make a name that no environment may have; GitLab fails such a job as `environment_creation_failure`. */
export class ImpossibleEnvironment extends Error {
  override readonly name = 'ImpossibleEnvironment';
}

/** What a browser runs in place of going there. */
const scripts = new Set(['javascript:', 'data:', 'vbscript:']);

/** An environment's address, which others will be offered as a link; null when it is none that can be followed safely. Pure. */
export function safeAddress(address: string): string | null {
  return URL.canParse(address) && !scripts.has(new URL(address).protocol) ? address : null;
}
