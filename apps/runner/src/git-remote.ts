/** The repository's URL without user and password: what is stored in the checkout and shown in the log. */
export function remoteUrl(repoUrl: string): string {
  if (!URL.canParse(repoUrl)) return repoUrl;
  const url = new URL(repoUrl);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return repoUrl;
  url.username = '';
  url.password = '';
  return url.href;
}

/** A line for git's credential store, `scheme://user:password@host`; undefined where the URL carries no password or is not HTTP. */
export function gitCredentials(repoUrl: string): string | undefined {
  if (!URL.canParse(repoUrl)) return undefined;
  const { protocol, username, password, host } = new URL(repoUrl);
  if ((protocol !== 'http:' && protocol !== 'https:') || password === '') return undefined;
  return `${protocol}//${username}:${password}@${host}`;
}

/** The password in both its spellings, for masking. */
export function passwordsOf(repoUrl: string): string[] {
  if (!URL.canParse(repoUrl)) return [];
  const { password } = new URL(repoUrl);
  if (password === '') return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}
