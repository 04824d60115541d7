/** A page's path within a project, as GitLab has it. */
export function projectPath(path: string, rest = ''): string {
  return `/${path}${rest === '' ? '' : `/-/${rest}`}`;
}
