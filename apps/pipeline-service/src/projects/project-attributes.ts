import type { CreateProject, EditProject } from '#libs/contracts';

/** Faults of a record as GitLab tells them: attribute → sentences. */
export type Problems = Record<string, string[]>;

const longest = 255;
const tooLong = (most: number): string => `is too long (maximum is ${most} characters)`;
const longestDescription = 2_000;
/** GitLab's bounds for `build_timeout`, in seconds. */
const timeouts = { least: 600, most: 30 * 86_400 - 1 };
const deepest = 1_000;

/** GitLab's rules, and its sentences, for the last part of a project's path. */
const asciiOnly = /^[\w.-]+$/;
const forbiddenEnding = /\.(git|atom)$/i;
const pathRule =
  "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'";
const nameFormat = /^[\p{L}\p{N}_\p{Extended_Pictographic}][\p{L}\p{N}\p{Extended_Pictographic}\p{M}\u200d_.+\- ]*$/u;
const nameRule =
  "can contain only letters, digits, emoji, '_', '.', '+', dashes, or spaces. It must start with a letter, digit, emoji, or '_'.";
/** Parts of GitLab's own addresses below a project. */
const reservedPaths = new Set([
  'badges', 'blame', 'blob', 'builds', 'commits', 'create', 'create_dir', 'edit', 'environments', 'files', 'find_file', 'gitlab-lfs',
  'info', 'new', 'preview', 'raw', 'refs', 'tree', 'update', 'wikis', '-',
]); // prettier-ignore
/** First parts of addresses that lead to something else than a namespace. */
const reservedNamespaces = new Set([
  '-', 'admin', 'api', 'assets', 'dashboard', 'explore', 'files', 'groups', 'help', 'import', 'jwt', 'login', 'oauth', 'profile',
  'projects', 'public', 'search', 'snippets', 'uploads', 'user', 'users', 'v2',
]); // prettier-ignore

/** What is wrong with one part of a path; null when nothing is. */
function pathProblem(path: string): string | null {
  if (path.length > longest) return tooLong(longest);
  if (
    !asciiOnly.test(path) ||
    path.startsWith('-') ||
    path.startsWith('.') ||
    path.endsWith('.') ||
    forbiddenEnding.test(path)
  )
    return pathRule;
  return null;
}

/** Whether a full path can be a namespace's: parts that are paths themselves, the first of them not taken by the server. */
export function isNamespacePath(fullPath: string): boolean {
  const parts = fullPath.split('/');
  return (
    parts.length <= 20 &&
    fullPath.length <= longest &&
    parts.every((part) => pathProblem(part) === null) &&
    !reservedNamespaces.has(parts[0]!.toLowerCase())
  );
}

/** Name and path, each made from the other where only one is given (GitLab's `Projects::CreateService`). */
export function nameAndPath({ name, path }: Pick<CreateProject, 'name' | 'path'>): { name: string; path: string } {
  if (path) return { name: name || path, path };
  const given = name ?? '';
  return { name: given, path: pathProblem(given) === null ? given : parameterize(given) };
}

/** Rails' `parameterize`: what is no letter, digit, `-` or `_` becomes one dash. */
function parameterize(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^\w-]+/g, '-')
    .replace(/-{2,}/g, '-')
    .replace(/^-|-$/g, '')
    .toLowerCase();
}

/** What is wrong with the attributes that are given; empty when nothing is. Pure: nothing is looked up. */
export function attributeProblems(given: Partial<CreateProject & EditProject>): Problems {
  const problems: Problems = {};
  const check = (attribute: string, problem: string | null | false): void => {
    if (problem) (problems[attribute] ??= []).push(problem);
  };
  if (given.name !== undefined) {
    if (given.name.trim() === '') check('name', "can't be blank");
    else check('name', [...given.name].length > longest && tooLong(longest));
    check('name', !nameFormat.test(given.name) && nameRule);
  }
  if (given.path !== undefined) {
    if (given.path === '') check('path', "can't be blank");
    check('path', pathProblem(given.path));
    check('path', reservedPaths.has(given.path.toLowerCase()) && 'is a reserved name');
  }
  check('description', [...(given.description ?? '')].length > longestDescription && tooLong(longestDescription));
  check('ci_config_path', configPathProblem(given.ciConfigPath ?? ''));
  check('default_branch', given.defaultBranch !== undefined && !isBranchName(given.defaultBranch) && 'is invalid');
  const { buildTimeout: timeout, gitDepth: depth } = given;
  check(
    'build_timeout',
    timeout !== undefined &&
      (timeout < timeouts.least || timeout > timeouts.most) &&
      'needs to be between 10 minutes and 1 month',
  );
  check('ci_default_git_depth', depth !== undefined && depth < 0 && 'must be greater than or equal to 0');
  check('ci_default_git_depth', depth !== undefined && depth > deepest && `must be less than or equal to ${deepest}`);
  return problems;
}

function configPathProblem(path: string): string | null {
  if (path.length > longest) return tooLong(longest);
  // A file of another project or of another server would be read under this project's rights.
  if (/^[a-z]+:\/\//i.test(path) || path.includes('@')) return 'must be a path inside the repository';
  if (path.split('/').some((part) => part === '..') || path.startsWith('/') || /\p{Cc}/u.test(path))
    return 'cannot include leading slash or directory traversal.';
  return null;
}

/** git-check-ref-format(1) for a branch. */
function isBranchName(name: string): boolean {
  return (
    name.length <= longest &&
    name !== '' &&
    name !== '@' &&
    !/[\p{Cc} ~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$/u.test(name) &&
    name.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'))
  );
}
