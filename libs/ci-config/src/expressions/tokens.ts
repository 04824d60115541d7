/** An expression that is not one (ci-config.md §3.4, last list). Callers turn it into the sentence of the keyword. */
export class ExpressionSyntaxError extends Error {}

export type Operator = '==' | '!=' | '=~' | '!~' | '&&' | '||' | '!';

export type Token =
  | { kind: '(' | ')' | 'null' | 'true' | 'false' }
  | { kind: 'operator'; operator: Operator }
  | { kind: 'variable'; name: string }
  | { kind: 'input'; name: string }
  | { kind: 'string'; text: string }
  /** With its slashes and flags. */
  | { kind: 'pattern'; text: string };

const tokensAtMost = 99;
const blanks = /\s*/y;
const variable = /\$(\w+)/y;
const input = /\$\[\[\s*inputs\.([\w-]+)\s*\]\]/y;
const string = /"([^"]*)"|'([^']*)'/y;
const word = /null\b|true\b|false\b/y;
const operator = /==|=~|!=|!~|&&|\|\||!/y;
const flags = /[ismU]*/y;

/** Splits an expression into tokens (ci-config.md §3.1). Throws ExpressionSyntaxError. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let position = match(blanks, text, 0)?.[0].length ?? 0;
  while (position < text.length) {
    if (tokens.length === tokensAtMost) throw new ExpressionSyntaxError('too many tokens');
    const { token, length } = tokenAt(text, position);
    tokens.push(token);
    position += length;
    position += match(blanks, text, position)?.[0].length ?? 0;
  }
  return tokens;
}

function tokenAt(text: string, position: number): { token: Token; length: number } {
  const first = text[position];
  if (first === '(' || first === ')') return { token: { kind: first }, length: 1 };
  if (first === '/') return patternAt(text, position);
  const found = match(variable, text, position);
  if (found) return { token: { kind: 'variable', name: found[1] as string }, length: found[0].length };
  const named = match(input, text, position);
  if (named) return { token: { kind: 'input', name: named[1] as string }, length: named[0].length };
  const quoted = match(string, text, position);
  if (quoted) return { token: { kind: 'string', text: quoted[1] ?? quoted[2] ?? '' }, length: quoted[0].length };
  const literal = match(word, text, position);
  if (literal) return { token: { kind: literal[0] as 'null' | 'true' | 'false' }, length: literal[0].length };
  const sign = match(operator, text, position);
  if (sign) return { token: { kind: 'operator', operator: sign[0] as Operator }, length: sign[0].length };
  throw new ExpressionSyntaxError(`unknown token at character ${position + 1}`);
}

/**
 * `/…/flags`: inner slashes are escaped, one stray slash before the closing one is accepted, the body has two characters or
 * more (ci-config.md §3.1). By hand, because the regular expression for it would backtrack on hostile texts.
 */
function patternAt(text: string, start: number): { token: Token; length: number } {
  let end = start + 1;
  while (end < text.length && text[end] !== '/') end += text[end] === '\\' && text[end + 1] === '/' ? 2 : 1;
  const stray = text[end + 1] === '/' && end > start + 1;
  if (text[end] !== '/' || (!stray && end - start - 1 < 2))
    throw new ExpressionSyntaxError(`unknown token at character ${start + 1}`);
  const close = stray ? end + 2 : end + 1;
  const length = close - start + (match(flags, text, close)?.[0].length ?? 0);
  return { token: { kind: 'pattern', text: text.slice(start, start + length) }, length };
}

function match(sticky: RegExp, text: string, position: number): RegExpExecArray | null {
  sticky.lastIndex = position;
  return sticky.exec(text);
}
