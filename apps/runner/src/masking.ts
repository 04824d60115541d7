const MASK = Buffer.from('[MASKED]');

/** Tokens that GitLab's runner hides without being told (runner-api.md §1.1). */
export const TOKEN_PREFIXES = [
  'glpat-', 'glrt-', 'glrtr-', 'glcbt-', 'glptt-', 'gldt-', 'glft-', 'glimt-', 'glagent-', 'glsoat-', 'gloas-', 'glffct-', 'gltok-',
]; // prettier-ignore

interface Interval {
  start: number;
  end: number;
}

/** A token whose prefix begins at `start` and whose characters are `body` to `end`. */
interface Token {
  start: number;
  body: number;
  end: number;
}

/**
 * Hides secrets in a stream of bytes, however it is cut into chunks: every occurrence of a phrase becomes `[MASKED]`, overlapping
 * ones together become one; what follows a token prefix becomes `<prefix>[MASKED]`. The result is the same for every way of cutting.
 *
 * Bytes that may turn out to begin a secret are held back until the next chunk or `flush`. What is held never exceeds the longest
 * phrase or prefix, so a stream of one endless token takes no memory.
 */
export class Masker {
  private readonly phrases: Buffer[];
  private readonly prefixes: Buffer[];
  private held: Buffer = Buffer.alloc(0);
  /** Leading bytes of `held` that lie under a mask already written. */
  private covered = 0;
  /** Whether the token begun before `held` goes on after it. */
  private insideToken = false;

  constructor(phrases: Iterable<string>, prefixes: Iterable<string> = TOKEN_PREFIXES) {
    this.phrases = [...new Set(phrases)].filter((phrase) => phrase !== '').map((phrase) => Buffer.from(phrase));
    this.prefixes = [...new Set(prefixes)].filter((prefix) => prefix !== '').map((prefix) => Buffer.from(prefix));
  }

  /** Takes the next bytes; returns those that are safe to show. */
  push(chunk: Buffer): Buffer {
    return this.emit(chunk, false);
  }

  /** Ends the stream: returns what was held back, since nothing can complete it any more. */
  flush(): Buffer {
    return this.emit(Buffer.alloc(0), true);
  }

  private emit(chunk: Buffer, last: boolean): Buffer {
    const bytes = this.held.length > 0 ? Buffer.concat([this.held, chunk]) : chunk;
    if (this.insideToken) {
      this.covered = endOfToken(bytes, this.held.length);
      this.insideToken = this.covered === bytes.length && !last;
    }
    const tokens = this.findTokens(bytes);
    const until = last ? bytes.length : this.safeLength(bytes, tokens);
    const shown: Buffer[] = [];
    let coveredTo = this.covered;
    let position = Math.min(coveredTo, until);
    for (const interval of this.findIntervals(bytes, tokens)) {
      if (interval.start >= until) break;
      if (interval.start >= coveredTo) shown.push(bytes.subarray(position, interval.start), MASK);
      coveredTo = Math.max(coveredTo, interval.end);
      position = Math.min(coveredTo, until);
    }
    shown.push(bytes.subarray(position, until));
    if (tokens.some((token) => token.body < until && token.end === bytes.length)) this.insideToken = !last;
    this.held = Buffer.from(bytes.subarray(until));
    this.covered = Math.max(0, coveredTo - until);
    return Buffer.concat(shown);
  }

  private findTokens(bytes: Buffer): Token[] {
    const tokens: Token[] = [];
    for (const prefix of this.prefixes) {
      let end = 0;
      for (let start = bytes.indexOf(prefix); start >= 0; start = bytes.indexOf(prefix, start + 1)) {
        const body = start + prefix.length;
        // Prefixes strung together share their end; looking for it each time would take quadratic time.
        if (body > end) end = endOfToken(bytes, body);
        if (end > body) tokens.push({ start, body, end });
      }
    }
    return tokens;
  }

  /** All that is to be hidden, by start; may overlap. */
  private findIntervals(bytes: Buffer, tokens: readonly Token[]): Interval[] {
    const intervals: Interval[] = tokens.map(({ body, end }) => ({ start: body, end }));
    for (const phrase of this.phrases) {
      for (let start = bytes.indexOf(phrase); start >= 0; start = bytes.indexOf(phrase, start + 1)) {
        intervals.push({ start, end: start + phrase.length });
      }
    }
    return intervals.sort((a, b) => a.start - b.start);
  }

  /** How many leading bytes cannot be the beginning of a secret that is not complete yet. */
  private safeLength(bytes: Buffer, tokens: readonly Token[]): number {
    let safe = bytes.length;
    for (const phrase of this.phrases) safe = Math.min(safe, startOfPartial(bytes, phrase, phrase.length - 1));
    // A prefix at the very end, too, waits for its first character: alone it is no token.
    for (const prefix of this.prefixes) safe = Math.min(safe, startOfPartial(bytes, prefix, prefix.length));
    // What is held must keep a token's prefix whole: without it the token would not be known again.
    for (const { start, body } of tokens.toSorted((a, b) => b.start - a.start)) {
      if (start < safe && safe <= body) safe = start;
    }
    return safe;
  }
}

/** Where the longest proper beginning of `pattern`, of `most` bytes at most, starts that `bytes` ends with; else the length. */
function startOfPartial(bytes: Buffer, pattern: Buffer, most: number): number {
  for (let length = Math.min(most, bytes.length); length > 0; length--) {
    const start = bytes.length - length;
    if (bytes[start] === pattern[0] && bytes.compare(pattern, 0, length, start) === 0) return start;
  }
  return bytes.length;
}

function endOfToken(bytes: Buffer, from: number): number {
  let end = from;
  while (end < bytes.length && isTokenByte(bytes[end]!)) end++;
  return end;
}

/** Letters, digits, `-`, `_`, and the dot of GitLab's routable tokens. */
function isTokenByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x5f ||
    byte === 0x2e
  );
}
