import { RE2JS } from 're2js';

/** A text of the form `/…/flags`, or undefined. */
const slashed = /^\/([\s\S]*)\/([ismU]*)$/;

/** Patterns come from files and variables again and again; compiling one costs about 0.1 ms. */
const compiled = new Map<string, RE2JS | null>();
const compiledAtMost = 1_000;
/** Longer patterns are refused: compiling takes memory in proportion. */
const longestPattern = 10_000;

/** Whether a text has the form of a pattern, valid or not. */
export function looksLikePattern(text: string): boolean {
  return slashed.test(text);
}

/**
 * Compiles `/…/flags` (RE2: no look-around, no back-references; ci-config.md §3.3). Null when it is no such text or not valid.
 */
export function compilePattern(text: string): RE2JS | null {
  const known = compiled.get(text);
  if (known !== undefined) return known;
  const pattern = compileAnew(text);
  if (compiled.size >= compiledAtMost) compiled.clear();
  compiled.set(text, pattern);
  return pattern;
}

function compileAnew(text: string): RE2JS | null {
  const match = text.length > longestPattern ? null : slashed.exec(text);
  if (!match) return null;
  const flags = [...new Set(match[2])].join('');
  return compileRegex(flags ? `(?${flags})${match[1]}` : (match[1] as string));
}

/** Compiles a regular expression without slashes; null when it is not valid. */
export function compileRegex(source: string): RE2JS | null {
  if (source.length > longestPattern) return null;
  try {
    return RE2JS.compile(source);
  } catch {
    // re2js throws classes of its own for every way to be wrong; all mean the same here.
    return null;
  }
}

/** Searches for the pattern anywhere in the text. */
export function searches(pattern: RE2JS, text: string): boolean {
  return pattern.matcher(text).find();
}
