/** One segment of a pattern: `**`, or a list of what its characters may be. */
type Segment = '**' | readonly Token[];
type Token = '*' | '?' | { char: string } | { negated: boolean; ranges: readonly [string, string][] };

/** Places in a pattern at which a walk through directories may stand; empty where nothing below can match. */
export type Position = ReadonlySet<number>;

/** Alternatives in braces multiply; a pattern that would become more than so many is taken literally. */
const MOST_ALTERNATIVES = 1000;

/**
 * A pattern of `artifacts` and `cache` paths, as GitLab's runner reads it: `*` and `?` within a name, `**` over any number of
 * directories, `[a-z]`, `{a,b}`, `\` before a character that means itself; names that begin with a dot are names like others.
 *
 * Matched segment by segment, never by a regular expression: patterns come from users, and no pattern may take more than
 * (length of pattern) × (length of path) steps.
 */
export class PathPattern {
  private constructor(private readonly segments: readonly Segment[]) {}

  /** The patterns that stand for a text, one for each choice in its braces. @param text relative, without `.` and `..` */
  static parse(text: string): PathPattern[] {
    return expandBraces(text).map((one) => new PathPattern(one.split('/').filter(Boolean).map(parseSegment)));
  }

  /** Where a walk begins: in the directory that the pattern is relative to. */
  get start(): Position {
    return this.closure([0]);
  }

  /** One step of a walk, into the entry `name`. */
  step(position: Position, name: string): Position {
    const next: number[] = [];
    for (const index of position) {
      const segment = this.segments[index];
      if (segment === '**') next.push(index);
      else if (segment !== undefined && matchesName(segment, [...name])) next.push(index + 1);
    }
    return this.closure(next);
  }

  /** Whether the path that led here matches. */
  isMatch(position: Position): boolean {
    return position.has(this.segments.length);
  }

  matches(path: string): boolean {
    let position = this.start;
    for (const name of path.split('/')) position = this.step(position, name);
    return this.isMatch(position);
  }

  /** `**` also stands for no directory at all. */
  private closure(indexes: readonly number[]): Position {
    const position = new Set<number>();
    for (let index of indexes) {
      position.add(index);
      while (this.segments[index] === '**') position.add(++index);
    }
    return position;
  }
}

/** Greedy, going back to the last star only: what an earlier star took more of, the last one can take as well. */
function matchesName(tokens: readonly Token[], name: readonly string[]): boolean {
  let token = 0;
  let place = 0;
  let star = -1;
  let starPlace = 0;
  while (place < name.length) {
    const wanted = tokens[token];
    if (wanted === '*') {
      star = token++;
      starPlace = place;
    } else if (wanted !== undefined && matchesCharacter(wanted, name[place]!)) {
      token++;
      place++;
    } else if (star >= 0) {
      token = star + 1;
      place = ++starPlace;
    } else return false;
  }
  while (tokens[token] === '*') token++;
  return token === tokens.length;
}

function matchesCharacter(token: Exclude<Token, '*'>, char: string): boolean {
  if (token === '?') return true;
  if ('char' in token) return token.char === char;
  return token.ranges.some(([from, to]) => from <= char && char <= to) !== token.negated;
}

function parseSegment(text: string): Segment {
  if (text === '**') return '**';
  const chars = [...text];
  const tokens: Token[] = [];
  for (let index = 0; index < chars.length; index++) {
    const char = chars[index]!;
    if (char === '*' || char === '?') tokens.push(char);
    else if (char === '\\' && index + 1 < chars.length) tokens.push({ char: chars[++index]! });
    else if (char === '[') {
      const set = parseSet(chars, index);
      if (set) tokens.push(set.token);
      else tokens.push({ char });
      index = set?.end ?? index;
    } else tokens.push({ char });
  }
  return tokens;
}

/** `[a-z]`, `[!a]`, `[^a]`; undefined where the bracket is not closed and so means itself. */
function parseSet(chars: readonly string[], open: number): { token: Token; end: number } | undefined {
  const negated = chars[open + 1] === '!' || chars[open + 1] === '^';
  const first = open + (negated ? 2 : 1);
  const ranges: [string, string][] = [];
  for (let index = first; index < chars.length; index++) {
    if (chars[index] === ']' && index > first) return { token: { negated, ranges }, end: index };
    const from = chars[index] === '\\' ? chars[++index] : chars[index];
    if (from === undefined) return undefined;
    if (chars[index + 1] === '-' && chars[index + 2] !== undefined && chars[index + 2] !== ']') {
      ranges.push([from, chars[index + 2]!]);
      index += 2;
    } else ranges.push([from, from]);
  }
  return undefined;
}

function expandBraces(text: string): string[] {
  const done: string[] = [];
  const open = [text];
  while (open.length > 0) {
    if (done.length + open.length > MOST_ALTERNATIVES) return [text];
    const one = open.pop()!;
    const choices = firstBraces(one);
    if (choices === undefined) done.push(one);
    else open.push(...choices.inside.map((choice) => choices.before + choice + choices.after).reverse());
  }
  return done;
}

/** The first complete pair of braces and what it chooses from; undefined where there is none. */
function firstBraces(text: string): { before: string; inside: string[]; after: string } | undefined {
  let depth = 0;
  let start = -1;
  let commas: number[] = [];
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (char === '\\') index++;
    else if (char === '{' && depth++ === 0) {
      start = index;
      commas = [];
    } else if (char === ',' && depth === 1) commas.push(index);
    else if (char === '}' && depth > 0 && --depth === 0) {
      const bounds = [start, ...commas, index];
      const inside = bounds.slice(1).map((end, which) => text.slice(bounds[which]! + 1, end));
      return { before: text.slice(0, start), inside, after: text.slice(index + 1) };
    }
  }
  return undefined;
}
