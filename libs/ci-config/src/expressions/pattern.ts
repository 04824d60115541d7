import { RE2JS } from 're2js';
import { ConfigError } from '../config-error.js';

/** A text of the form `/…/flags`. */
const slashed = /^\/([\s\S]*)\/([ismU]*)$/;
const repetition = /\{(\d+)(?:,(\d*))?\}/g;

/** RE2 allows repetitions up to 1000, nested ones multiplied. */
const repetitionsAtMost = 1_000;
/** Instructions that one pattern may compile to, estimated before compiling. */
const longestProgram = 200_000;
/** Instructions of all patterns of one configuration, or of one pipeline's variables: some 20 MB. */
const programsAtMost = 500_000;
/** Instructions times characters that one pipeline may search, in the worst case a few seconds. */
const workAtMost = 100_000_000;

/** Whether a text has the form of a pattern, valid or not. */
export function looksLikePattern(text: string): boolean {
  return slashed.test(text);
}

/**
 * Compiles and searches the patterns of one configuration or one pipeline within bounds. RE2 is never exponential, but its
 * programs and searches grow with what a file asks for. Past a bound every method throws ConfigError.
 */
export class Patterns {
  private readonly compiled = new Map<string, RE2JS | null>();
  private programs = programsAtMost;
  private work = workAtMost;

  /** Compiles `/…/flags` (no look-around, no back-references; ci-config.md §3.3); null when it is no such text or not valid. */
  compile(text: string): RE2JS | null {
    const known = this.compiled.get(text);
    if (known !== undefined) return known;
    const pattern = compileSlashed(text);
    this.compiled.set(text, pattern);
    this.programs -= pattern ? pattern.programSize() : 1;
    if (this.programs < 0) throw new ConfigError('The regular expressions are too large');
    return pattern;
  }

  /** Searches for the pattern anywhere in the text. */
  search(pattern: RE2JS, text: string): boolean {
    this.work -= pattern.programSize() * (text.length + 1);
    if (this.work < 0) throw new ConfigError('The regular expressions are too large for the texts that they search');
    return pattern.matcher(text).find();
  }
}

function compileSlashed(text: string): RE2JS | null {
  const match = slashed.exec(text);
  if (!match) return null;
  const flags = [...new Set(match[2])].join('');
  return compileRegex(flags ? `(?${flags})${match[1]}` : (match[1] as string));
}

/** Compiles a regular expression without slashes; null when it is not valid or too large. */
export function compileRegex(source: string): RE2JS | null {
  if (estimatedProgram(source) > longestProgram) return null;
  try {
    return RE2JS.compile(source);
  } catch {
    // re2js throws classes of its own for every way to be wrong; all mean the same here.
    return null;
  }
}

function estimatedProgram(source: string): number {
  let repetitions = 1;
  for (const [, least, most] of source.matchAll(repetition)) {
    repetitions = Math.min(repetitionsAtMost, repetitions * Math.max(1, Number(least), Number(most ?? 0)));
  }
  return source.length * repetitions;
}
