import { Float, type Value } from './values.js';

/** A scalar that would become an object which configurations may not contain. */
export class UnspecifiedClass extends Error {
  constructor(readonly className: 'Date' | 'Time') {
    super(`Tried to load unspecified class: ${className}`);
  }
}

const time = /^-?\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?(?:\s*(?:Z|[-+]\d{1,2}:?(?:\d\d)?))?$/;
const date = /^(\d{4})-(1[012]|0\d|\d)-([12]\d|3[01]|0\d|\d)$/;
const sexagesimal = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}$/;
const sexagesimalFloat = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}\.[0-9_]*$/;
const float = /^[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][+-][0-9]+)?$/;
const binary = /^[-+]?0b_*[01][01_]*$/;
const octal = /^[-+]?0_*[0-7][0-7_,]*$/;
const decimal = /^[-+]?(?:0|[1-9](?:[0-9]|[,_][0-9])*)$/;
const hexadecimal = /^[-+]?0x_*[0-9a-fA-F][0-9a-fA-F_,]*$/;

const nothing = /^null$/i;
const yes = /^(?:yes|true|on)$/i;
const no = /^(?:no|false|off)$/i;
const infinity = /^\+?\.inf$/i;
const minusInfinity = /^-\.inf$/i;
const noNumber = /^\.nan$/i;
const quotedSymbol = /^:["']([^"']*)["']/;
const loneDot = /^[-+]?\.$/;

/** Most scalars are words; only these first characters can begin anything else. A regular expression would cost more than all the rest. */
const firstOfWords = charSet('ytonfYTONF');
const firstOfNumbers = charSet('-+.:0123456789');

function charSet(characters: string): Uint8Array {
  const set = new Uint8Array(128);
  for (const character of characters) set[character.charCodeAt(0)] = 1;
  return set;
}

/** Whether a plain text would be taken for a date or time stamp, which are refused when read. */
export function looksLikeTime(text: string): boolean {
  return time.test(text) || date.test(text);
}

/**
 * A plain scalar as Ruby's Psych reads it (ci-config.md §5.1): mostly YAML 1.1, but `y` and `n` are text, `1e3` is text,
 * `1,000` is a number and `:name` is the text `name`. Throws UnspecifiedClass for dates and time stamps.
 */
export function resolvePlainScalar(text: string): Value {
  if (text === '' || text === '~') return null;
  const first = text.charCodeAt(0);
  if (firstOfWords[first] === 1) return resolveWord(text);
  if (firstOfNumbers[first] !== 1 || text.includes('\n')) return text;
  if (time.test(text)) throw new UnspecifiedClass('Time');
  const day = date.exec(text);
  if (day) {
    if (isCalendarDay(Number(day[1]), Number(day[2]), Number(day[3]))) throw new UnspecifiedClass('Date');
    return text;
  }
  if (infinity.test(text)) return new Float(Infinity);
  if (minusInfinity.test(text)) return new Float(-Infinity);
  if (noNumber.test(text)) return new Float(NaN);
  if (text.length > 1 && text.startsWith(':')) return quotedSymbol.exec(text)?.[1] ?? text.slice(1);
  return resolveNumber(text);
}

/** The longest is `false`. */
const longestWord = 5;

function resolveWord(text: string): Value {
  if (text.length > longestWord) return text;
  if (nothing.test(text)) return null;
  if (yes.test(text)) return true;
  return no.test(text) ? false : text;
}

function resolveNumber(text: string): Value {
  if (sexagesimal.test(text)) return sumSixties(text);
  if (sexagesimalFloat.test(text)) return new Float(sumSixties(text));
  if (float.test(text) && !loneDot.test(text))
    return new Float(Number(text.replace(/[,_]/g, '').replace(/\.(?=[eE]|$)/, '')));
  const digits = text.replace(/^[-+]/, '').replace(/[,_]/g, '');
  const sign = text.startsWith('-') ? -1n : 1n;
  if (decimal.test(text) || binary.test(text) || hexadecimal.test(text)) return integer(sign * BigInt(digits));
  if (octal.test(text)) return integer(sign * BigInt(`0o${digits}`));
  return text;
}

function sumSixties(text: string): number {
  return text
    .split(':')
    .reduce((sum, part, position) => sum + Number(part.replace(/_/g, '')) * 60 ** Math.abs(position - 2), 0);
}

/** Big integers stay exact. */
function integer(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function isCalendarDay(year: number, month: number, day: number): boolean {
  return month >= 1 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}
