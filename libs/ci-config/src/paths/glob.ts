import type { RE2JS } from 're2js';
import { compileRegex } from '../expressions/pattern.js';

/** Alternatives that one pattern may unfold to by its braces; a hostile one is taken not to match. */
const alternativesAtMost = 500;

/** Tells whether a path matches. */
export type PathTest = (path: string) => boolean;

/**
 * Compiles a glob as Ruby's `File.fnmatch` with path-name, dot-match and brace options reads it (ci-config.md §2.4): `*` and `?`
 * stay inside one directory, `**` does so too unless a slash follows, upper and lower case differ. Runs on RE2, so that no
 * pattern is slow.
 */
export function compileGlob(glob: string): PathTest {
  const alternatives = expandBraces(glob);
  const sources = alternatives?.map(globSource).filter((source) => source !== null) ?? [];
  const regex: RE2JS | null = sources.length ? compileRegex(`(?s)\\A(?:${sources.join('|')})\\z`) : null;
  if (!regex) return () => false;
  const { head, tail } = plainEnds(glob);
  return (path) => path.startsWith(head) && path.endsWith(tail) && regex.matcher(path).find();
}

/** What every match begins and ends with: most paths are told apart by that, at a hundredth of the cost. */
function plainEnds(glob: string): { head: string; tail: string } {
  const special = glob.search(/[*?[{\\]/);
  const head = special < 0 ? glob : glob.slice(0, special);
  if (special < 0 || /[[{\\]/.test(glob)) return { head, tail: '' };
  // The slash of `**/` may be nothing.
  const last = Math.max(glob.lastIndexOf('*'), glob.lastIndexOf('?'));
  return { head, tail: glob.slice(last + 1).replace(/^\//, '') };
}

function globSource(glob: string): string | null {
  let source = '';
  let atSegmentStart = true;
  for (let i = 0; i < glob.length;) {
    const char = glob[i] as string;
    if (char === '*') {
      let end = i;
      while (glob[end] === '*') end += 1;
      const anyDirectories: boolean = atSegmentStart && end - i === 2 && glob[end] === '/';
      source += anyDirectories ? '(?:[^/]+/)*' : '[^/]*';
      i = anyDirectories ? end + 1 : end;
      atSegmentStart = anyDirectories;
      continue;
    }
    if (char === '[') {
      const set = bracketSource(glob, i);
      if (!set) return null;
      source += set.source;
      i = set.end;
    } else if (char === '?') {
      source += '[^/]';
      i += 1;
    } else {
      const escaped = char === '\\' && i + 1 < glob.length;
      source += escapeRegex(escaped ? (glob[i + 1] as string) : char);
      i += escaped ? 2 : 1;
    }
    atSegmentStart = char === '/';
  }
  return source;
}

/** `[ab]`, `[!a-c]`: never matches a slash. Null when it is not closed, which matches nothing. */
function bracketSource(glob: string, start: number): { source: string; end: number } | null {
  let i = start + 1;
  const negated = glob[i] === '!' || glob[i] === '^';
  if (negated) i += 1;
  let set = '';
  let first = true;
  while (i < glob.length && (first || glob[i] !== ']')) {
    if (glob[i] === '/') return null;
    if (glob[i] === '\\' && i + 1 < glob.length) i += 1;
    set += glob[i] === '-' && !first && glob[i + 1] !== ']' ? '-' : escapeRegex(glob[i] as string);
    first = false;
    i += 1;
  }
  if (i >= glob.length) return null;
  return { source: negated ? `[^/${set}]` : `[${set}]`, end: i + 1 };
}

function escapeRegex(char: string): string {
  return /[\p{L}\p{N}_/ ]/u.test(char) || char.charCodeAt(0) > 127 ? char : `\\${char}`;
}

/** The alternatives of `{a,b}`, nested ones too; null when there are too many. Unclosed braces are plain text. */
function expandBraces(glob: string): string[] | null {
  const done: string[] = [];
  const open = [glob];
  while (open.length > 0) {
    const text = open.shift() as string;
    const braces = outermostBraces(text);
    if (!braces) done.push(text);
    else
      for (const choice of braces.choices)
        open.push(`${text.slice(0, braces.start)}${choice}${text.slice(braces.end)}`);
    if (done.length + open.length > alternativesAtMost) return null;
  }
  return done;
}

function outermostBraces(text: string): { start: number; end: number; choices: string[] } | null {
  let start = -1;
  let depth = 0;
  let from = 0;
  const choices: string[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '\\') i += 1;
    else if (char === '{') {
      if (depth === 0) {
        start = i;
        from = i + 1;
      }
      depth += 1;
    } else if (depth > 0 && char === '}') {
      depth -= 1;
      if (depth === 0) return { start, end: i + 1, choices: [...choices, text.slice(from, i)] };
    } else if (depth === 1 && char === ',') {
      choices.push(text.slice(from, i));
      from = i + 1;
    }
  }
  return null;
}
