import type { RE2JS } from 're2js';
import { looksLikePattern, type Patterns } from './pattern.js';
import { ExpressionSyntaxError, tokenize, type Operator, type Token } from './tokens.js';

/** A parsed `rules:if` or `only:variables` expression. */
export type Expression =
  | { kind: 'value'; value: string | boolean | null }
  | { kind: 'variable'; name: string }
  | { kind: 'input'; name: string }
  | { kind: 'pattern'; pattern: RE2JS; text: string }
  | { kind: 'not'; operand: Expression }
  | { kind: Exclude<Operator, '!'>; left: Expression; right: Expression };

/** Raw value of a variable, or undefined when there is none. */
export type Lookup = (key: string) => string | undefined;

/** What an expression is evaluated with. */
export interface ExpressionCircumstances {
  lookup: Lookup;
  /** Of inputs, which only their own rules look at; null for one that has none. */
  input?: (name: string) => string | boolean | null;
  patterns: Patterns;
}

type Operand = string | boolean | null | { pattern: RE2JS; text: string };

/** Parses an expression with the precedences of ci-config.md §3.2. Throws ExpressionSyntaxError, and what Patterns throws. */
export function parseExpression(text: string, patterns: Patterns): Expression {
  const parser = new Parser(tokenize(text), patterns);
  return parser.whole();
}

/** Result of a whole expression: true unless blank (ci-config.md §3.3). Throws only what Patterns throws. */
export function isTruthy(expression: Expression, circumstances: ExpressionCircumstances): boolean {
  try {
    return !isBlank(evaluate(expression, circumstances));
  } catch (error) {
    if (error instanceof InvalidPattern) return false;
    throw error;
  }
}

/** A variable used as a pattern holds none that is valid: the whole expression is false. */
class InvalidPattern extends Error {}

const comparisons = new Set<Operator>(['==', '!=', '=~', '!~']);

class Parser {
  private next = 0;

  constructor(
    private readonly tokens: Token[],
    private readonly patterns: Patterns,
  ) {}

  whole(): Expression {
    const expression = this.either();
    if (this.next < this.tokens.length) throw new ExpressionSyntaxError('an operator is missing');
    return expression;
  }

  private either(): Expression {
    let left = this.both();
    while (this.takeOperator((operator) => operator === '||')) left = { kind: '||', left, right: this.both() };
    return left;
  }

  private both(): Expression {
    let left = this.comparison();
    while (this.takeOperator((operator) => operator === '&&')) left = { kind: '&&', left, right: this.comparison() };
    return left;
  }

  private comparison(): Expression {
    let left = this.operand();
    for (;;) {
      const kind = this.takeOperator((operator) => comparisons.has(operator));
      if (!kind || kind === '!') return left;
      left = { kind, left, right: this.operand() };
    }
  }

  private operand(): Expression {
    if (this.takeOperator((operator) => operator === '!')) return { kind: 'not', operand: this.operand() };
    const token = this.tokens[this.next];
    this.next += 1;
    switch (token?.kind) {
      case '(':
        return this.parenthesised();
      case 'null':
        return { kind: 'value', value: null };
      case 'true':
      case 'false':
        return { kind: 'value', value: token.kind === 'true' };
      case 'variable':
        return { kind: 'variable', name: token.name };
      case 'input':
        return { kind: 'input', name: token.name };
      case 'string':
        return { kind: 'value', value: token.text };
      case 'pattern':
        return this.pattern(token.text);
      default:
        throw new ExpressionSyntaxError('an operand is missing');
    }
  }

  private parenthesised(): Expression {
    const expression = this.either();
    if (this.tokens[this.next]?.kind !== ')') throw new ExpressionSyntaxError('a closing parenthesis is missing');
    this.next += 1;
    return expression;
  }

  private pattern(text: string): Expression {
    const pattern = this.patterns.compile(text);
    if (!pattern) throw new ExpressionSyntaxError(`invalid regular expression ${text}`);
    return { kind: 'pattern', pattern, text };
  }

  private takeOperator(wanted: (operator: Operator) => boolean): Operator | null {
    const token = this.tokens[this.next];
    if (token?.kind !== 'operator' || !wanted(token.operator)) return null;
    this.next += 1;
    return token.operator;
  }
}

function evaluate(expression: Expression, circumstances: ExpressionCircumstances): Operand {
  switch (expression.kind) {
    case 'value':
      return expression.value;
    case 'variable':
      return circumstances.lookup(expression.name) ?? null;
    case 'input':
      return circumstances.input?.(expression.name) ?? null;
    case 'pattern':
      return expression;
    case 'not':
      return isBlank(evaluate(expression.operand, circumstances));
    // As in Ruby these two give an operand, and the empty text counts as true.
    case '&&': {
      const left = evaluate(expression.left, circumstances);
      return left === null || left === false ? left : evaluate(expression.right, circumstances);
    }
    case '||': {
      const left = evaluate(expression.left, circumstances);
      return left === null || left === false ? evaluate(expression.right, circumstances) : left;
    }
    case '==':
      return isEqual(evaluate(expression.left, circumstances), evaluate(expression.right, circumstances));
    case '!=':
      return !isEqual(evaluate(expression.left, circumstances), evaluate(expression.right, circumstances));
    case '=~':
      return matches(
        evaluate(expression.left, circumstances),
        evaluate(expression.right, circumstances),
        circumstances.patterns,
      );
    case '!~':
      return !matches(
        evaluate(expression.left, circumstances),
        evaluate(expression.right, circumstances),
        circumstances.patterns,
      );
  }
}

function isBlank(value: Operand): boolean {
  return value === null || value === false || (typeof value === 'string' && value.trim() === '');
}

function isEqual(left: Operand, right: Operand): boolean {
  if (typeof left === 'boolean' && typeof right === 'string') return String(left) === right;
  if (typeof left === 'string' && typeof right === 'boolean') return left === String(right);
  if (isPattern(left) || isPattern(right)) return isPattern(left) && isPattern(right) && left.text === right.text;
  return left === right;
}

function matches(left: Operand, right: Operand, patterns: Patterns): boolean {
  if (right === null) return false;
  const text = left === null ? '' : isPattern(left) ? left.text : String(left);
  if (isPattern(right)) return patterns.search(right.pattern, text);
  const other = String(right);
  if (!looksLikePattern(other)) return other.includes(text);
  const pattern = patterns.compile(other);
  if (!pattern) throw new InvalidPattern();
  return patterns.search(pattern, text);
}

function isPattern(value: Operand): value is { pattern: RE2JS; text: string } {
  return typeof value === 'object' && value !== null;
}
