import type { RegistryCredential } from '../job.payload.js';

/** When an image is pulled, in GitLab's words. */
export const PULL_POLICIES: readonly string[] = ['always', 'if-not-present', 'never'];

/** What Docker takes for the name of an image: a registry, a path, a tag, a digest; nothing that it could take for an option. */
export function isImageName(text: string): boolean {
  return text.length <= 512 && /^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/.test(text);
}

/**
 * The names under which a service is reached: its aliases, and its image's path without registry port, tag and digest, once with `__`
 * and once with `-` for slashes, as GitLab's runner makes them.
 */
export function serviceNames(image: string, alias: string): string[] {
  const path = image
    .replace(/@.*$/, '')
    .replace(/:[^:/]*$/, '')
    .replaceAll(/:\d+(?=\/)/g, '');
  const given = alias.split(/[\s,]+/);
  const names = [...given, path.replaceAll('/', '__'), path.replaceAll('/', '-')];
  return [...new Set(names)].filter((name) => /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name));
}

/**
 * Docker's configuration with a job's credentials for registries: those of the coordinator, and before them those of the variable
 * `DOCKER_AUTH_CONFIG`. Only its `auths` are taken: credential helpers are programs, which would run as the runner's user.
 * @returns undefined where there are none
 */
export function registryConfiguration(credentials: readonly RegistryCredential[], own: string): string | undefined {
  const auths: Record<string, unknown> = {};
  for (const { url, username, password } of credentials) {
    auths[url] = { auth: Buffer.from(`${username}:${password}`).toString('base64') };
  }
  try {
    Object.assign(auths, (JSON.parse(own === '' ? '{}' : own) as { auths?: object } | null)?.auths);
  } catch {
    // Not JSON: the registry will say that it knows nobody, and the job's log shows that.
  }
  return Object.keys(auths).length > 0 ? JSON.stringify({ auths }) : undefined;
}
