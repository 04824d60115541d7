/** A piece of a line in one look. */
export interface Span {
  text: string;
  /** Names of classes of log.css; empty for plain text. */
  classes: string;
}

/**
 * How text looks at some place of a log, in one number, since a log has a hundred thousand of them: colour of the text (bits 0–4) and behind it
 * (bits 5–9), each from 1 to 16, 0 for none; decorations from bit 10 on.
 */
export type Look = number;

const hues = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
/** Those of the codes 1 to 9. */
const decorations = ['bold', 'dim', 'italic', 'underline', 'blink', '', 'reverse', 'hidden', 'strikethrough'];
const front = 0;
const back = 5;
const firstDecoration = 10;
const boldAndDim = 0b11 << firstDecoration;

/** What a terminal does not print: sequences, of which only those that change the look have a meaning here, and lone control characters. */
const unprinted =
  // oxlint-disable-next-line no-control-regex
  /\u001b(?:\[([\d;:]*)m|\[[0-?]*[ -/]*[@-~]?|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[PX^_][^\u001b]*(?:\u001b\\)?|[ -/]*[0-~])|[\0-\u0008\u000b-\u001f\u007f]/g;

/** The look after a text that begins with another. */
export function lookAfter(text: string, look: Look): Look {
  if (!text.includes('\u001b')) return look;
  let now = look;
  for (const [, codes] of text.matchAll(unprinted)) if (codes !== undefined) now = changed(now, codes);
  return now;
}

/** What a terminal prints of a text, plain. */
export function plain(text: string): string {
  return text.replace(unprinted, '');
}

/** What a terminal prints of a text that begins with a look. */
export function spansOf(text: string, look: Look): Span[] {
  const spans: Span[] = [];
  let now = look;
  let from = 0;
  const add = (to: number): void => {
    const piece = text.slice(from, to);
    const classes = classesOf(now);
    const last = spans.at(-1);
    if (piece === '') return;
    if (last?.classes === classes) last.text += piece;
    else spans.push({ text: piece, classes });
  };
  for (const found of text.matchAll(unprinted)) {
    add(found.index);
    from = found.index + found[0].length;
    if (found[1] !== undefined) now = changed(now, found[1]);
  }
  add(text.length);
  return spans;
}

function changed(look: Look, text: string): Look {
  const codes = text.split(/[;:]/).map(Number);
  let now = look;
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const [color, taken] = mixed(codes.slice(at + 1));
      now = painted(now, code === 38 ? front : back, color);
      at += taken;
    } else now = withCode(now, code);
  }
  return now;
}

function withCode(look: Look, code: number): Look {
  if (code === 0) return 0;
  if (code <= 9) return decorations[code - 1] ? look | (1 << (firstDecoration + code - 1)) : look;
  if (code === 21 || code === 22) return look & ~boldAndDim;
  if (code >= 23 && code <= 29) return look & ~(1 << (firstDecoration + code - 21));
  const [tens, ones] = [Math.floor(code / 10), code % 10];
  if (tens === 3 || tens === 4) {
    const place = tens === 3 ? front : back;
    return ones === 8 ? look : painted(look, place, ones === 9 ? 0 : ones + 1);
  }
  if (code >= 90 && code <= 97) return painted(look, front, ones + 9);
  return code >= 100 && code <= 107 ? painted(look, back, ones + 9) : look;
}

function painted(look: Look, place: number, color: number): Look {
  return (look & ~(0b11111 << place)) | (color << place);
}

/** A colour that is not one of the sixteen: that of them which is most like it, and how many numbers named it. */
function mixed([kind, ...numbers]: number[]): [color: number, taken: number] {
  if (kind === 5) return [nearestOfPalette(numbers[0] ?? 0), 2];
  if (kind === 2) return [nearest(numbers.slice(0, 3)), 4];
  return [0, 1];
}

/** The sixteen, the 6×6×6 cube and the greys behind it, as xterm has them. */
function nearestOfPalette(index: number): number {
  if (index < 16) return index + 1;
  if (index >= 232) return nearest([0, 1, 2].map(() => 8 + (index - 232) * 10));
  const cube = index - 16;
  return nearest([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((step) => step && 55 + step * 40));
}

function nearest(color: number[]): number {
  const most = Math.max(...color);
  // A part counts as lit when it is more than half as strong as the strongest one; the bits are red, green, blue.
  const bits = color.reduce((sum, part, index) => sum + (part > most / 2 ? 1 << index : 0), 0);
  return (most < 48 ? 0 : bits) + (most > 192 ? 9 : 1);
}

const known = new Map<Look, string>([[0, '']]);

function classesOf(look: Look): string {
  let classes = known.get(look);
  if (classes === undefined) {
    classes = [
      ...color((look >> front) & 0b11111, 'fg'),
      ...color((look >> back) & 0b11111, 'bg'),
      ...decorations.filter((_, bit) => (look >> (firstDecoration + bit)) & 1).map((name) => `ansi-${name}`),
    ].join(' ');
    known.set(look, classes);
  }
  return classes;
}

function color(number: number, where: 'fg' | 'bg'): string[] {
  return number === 0 ? [] : [`ansi-${number > 8 ? 'bright-' : ''}${hues[(number - 1) % 8]}-${where}`];
}
