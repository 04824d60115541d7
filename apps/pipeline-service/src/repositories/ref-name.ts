import type { GitObject } from './object-reader.js';

/** git itself has no limit, but no file system keeps a longer path, and no answer should cost more than its question. */
const longestRefName = 4_000;

/** Full names that a trigger's `ref` may stand for; one that is left out cannot be meant. */
export interface RefCandidates {
  branch?: string;
  tag?: string;
}

/** What branch and tag of the asked names point to at this moment. */
export interface FoundRefs {
  branch?: GitObject;
  tag?: GitObject;
}

/**
 * The full names of the branch and the tag that a ref given by a user may mean (trigger-api.md §1.6, "Which refs resolve").
 * Both for a short name, one for a full name, none when no ref can have this name. Any string may come in.
 */
export function candidatesFor(ref: string): RefCandidates {
  const candidates: RefCandidates = ref.startsWith('refs/heads/')
    ? { branch: ref }
    : ref.startsWith('refs/tags/')
      ? { tag: ref }
      : { branch: `refs/heads/${ref}`, tag: `refs/tags/${ref}` };
  return isFullRefName(candidates.branch ?? candidates.tag!) ? candidates : {};
}

/** `main` for `refs/heads/main`, `v1` for `refs/tags/v1`. */
export function shortName(fullName: string): string {
  return fullName.replace(/^refs\/(heads|tags)\//, '');
}

/** The rules of `git check-ref-format` for names that begin with `refs/`, and well-formed UTF-16, since another string would change on its way. */
export function isFullRefName(name: string): boolean {
  return (
    name.length <= longestRefName &&
    name.startsWith('refs/') &&
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    !/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\p{Surrogate}/u.test(name) &&
    !name.endsWith('.') &&
    name.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'))
  );
}

/**
 * Where git also looks when a name that it is asked for does not exist (gitrevisions(7), rules 2 to 6). A branch that is called
 * `refs/tags/v1` would otherwise pass for the tag `v1`, and with it for what only maintainers may create.
 */
export function shadowsOf(fullName: string): string[] {
  return [
    `refs/${fullName}`,
    `refs/tags/${fullName}`,
    `refs/heads/${fullName}`,
    `refs/remotes/${fullName}`,
    `refs/remotes/${fullName}/HEAD`,
  ];
}

/** Whether git would take the name for the output of `git describe` and answer with the commit whose abbreviated id stands behind `-g`. */
export function looksDescribed(fullName: string): boolean {
  return /-g[0-9a-f]+$/i.test(fullName);
}
