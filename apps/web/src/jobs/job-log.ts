import Anser from 'anser';

/** A piece of a line in one look. */
export interface Span {
  text: string;
  /** Names of classes of log.css; empty for plain text. */
  classes: string;
}

export interface Line {
  /** From 1, as links name it. */
  number: number;
  spans: Span[];
  /** Index of the section that the line belongs to, the innermost; -1 for none. */
  section: number;
  /** The section that the line is the heading of; -1 for none. */
  heads: number;
}

export interface Section {
  name: string;
  /** The section around it; -1 for none. */
  parent: number;
  /** Whether the job wants it folded at first. */
  folded: boolean;
  /** Unix seconds. */
  startedAt: number;
  /** Null while it is open. */
  endedAt: number | null;
}

const mark = /^section_(start|end):(\d+):([\w.-]+)(?:\[([^\]\r\n]*)\])?\r/;
/** Changes nothing. The parser gives what comes before a line's first escape sequence no look, not even the one of the line before. */
const goOn = '\u001b[99m';
const erase = '\u001b[0K';
// Window titles, links and the like; they show nothing, and the parser of colours would print them.
// oxlint-disable-next-line no-control-regex
const osc = /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g;

/**
 * A job's log, read as it grows: lines with colours (runner-api.md §4), and the sections that fold. Colours go on from line to line, and a text
 * that a carriage return overwrites is not shown.
 */
export class JobLog {
  readonly lines: Line[] = [];
  readonly sections: Section[] = [];
  readonly #anser = new Anser();
  #rest = '';
  #open = -1;
  /** A section whose heading is what the line with its mark goes on with. */
  #heading = -1;

  /** Adds what came; its last line stays open until its end has come. */
  append(text: string): void {
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) this.#add(part);
  }

  /** The log is complete: what has no line feed at its end is a line as well. */
  end(): void {
    if (this.#rest !== '') this.#add(this.#rest);
    this.#rest = '';
  }

  #add(raw: string): void {
    const before = this.sections.length;
    const text = this.#takeMarks(raw.replace(osc, ''));
    const opened = this.sections.length > before;
    // A line that was nothing but marks is none.
    if (text === '' && raw !== '' && raw !== '\r' && !opened && raw.includes('section_')) return;
    const heads = this.#heading;
    this.#heading = -1;
    this.lines.push({ number: this.lines.length + 1, spans: this.#spans(visible(text)), section: this.#open, heads });
  }

  #takeMarks(text: string): string {
    let rest = text;
    for (;;) {
      const start = rest.startsWith(erase) ? rest.slice(erase.length) : rest;
      const found = mark.exec(start);
      if (!found) return this.#heading >= 0 || start !== rest ? start : rest;
      const [whole, kind, seconds, name = '', options = ''] = found;
      if (kind === 'start') this.#start(name, Number(seconds), options);
      else this.#finish(name, Number(seconds));
      rest = start.slice(whole.length);
      if (rest.startsWith(erase)) rest = rest.slice(erase.length);
    }
  }

  #start(name: string, startedAt: number, options: string): void {
    const folded = options.split(',').some((option) => option.trim() === 'collapsed=true');
    this.sections.push({ name, parent: this.#open, folded, startedAt, endedAt: null });
    this.#open = this.sections.length - 1;
    this.#heading = this.#open;
  }

  /** Ends the section with everything that is still open in it. */
  #finish(name: string, endedAt: number): void {
    let index = this.#open;
    while (index >= 0 && this.sections[index]?.name !== name) index = this.sections[index]?.parent ?? -1;
    if (index < 0) return;
    for (let open = this.#open; ; open = this.sections[open]?.parent ?? -1) {
      const section = this.sections[open];
      if (section) section.endedAt = endedAt;
      if (open === index) break;
    }
    this.#open = this.sections[index]?.parent ?? -1;
    this.#heading = -1;
  }

  #spans(text: string): Span[] {
    return this.#anser.ansiToJson(goOn + text, { use_classes: true, remove_empty: true }).map((piece) => ({
      text: piece.content,
      classes: [
        ...(piece.fg ? [`${basic(piece.fg, piece.fg_truecolor)}-fg`] : []),
        ...(piece.bg ? [`${basic(piece.bg, piece.bg_truecolor)}-bg`] : []),
        ...piece.decorations.map((decoration) => `ansi-${decoration}`),
      ].join(' '),
    }));
  }
}

const names = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

/** The class of one of the sixteen colours that style sheets know; of any other colour, that of the one that is most like it. */
function basic(name: string, truecolor: string | null): string {
  const palette = /^ansi-palette-(\d+)$/.exec(name);
  if (palette) return nearest(paletteColor(Number(palette[1])));
  if (name !== 'ansi-truecolor') return name;
  return nearest((truecolor ?? '').split(',').map(Number));
}

/** The 6×6×6 cube and the greys behind it, as xterm has them. */
function paletteColor(index: number): number[] {
  if (index >= 232) return [0, 1, 2].map(() => 8 + (index - 232) * 10);
  const cube = index - 16;
  return [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((step) => (step === 0 ? 0 : 55 + step * 40));
}

function nearest(color: number[]): string {
  const most = Math.max(...color);
  // A part counts as lit when it is more than half as strong as the strongest one; the bits are red, green, blue.
  const bits = color.reduce((sum, part, index) => sum + (part > most / 2 ? 1 << index : 0), 0);
  return `ansi-${most > 192 ? 'bright-' : ''}${names[most < 48 ? 0 : bits]}`;
}

/** What a terminal would show of a line: only what comes after its last carriage return, unless that ends it. */
function visible(line: string): string {
  const text = line.replace(/\r+$/, '');
  return text.slice(text.lastIndexOf('\r') + 1).replaceAll(erase, '');
}

/** Indices of the lines that are shown while some sections are folded; the headings of those stay. */
export function shownLines(log: Pick<JobLog, 'lines' | 'sections'>, folded: ReadonlySet<number>): number[] {
  const hidden = log.sections.map(() => false);
  for (const [index, { parent }] of log.sections.entries())
    hidden[index] = folded.has(index) || (parent >= 0 && (hidden[parent] ?? false));
  const shown: number[] = [];
  for (const [index, { section, heads }] of log.lines.entries()) {
    const around = heads >= 0 ? (log.sections[heads]?.parent ?? -1) : section;
    if (around < 0 || !hidden[around]) shown.push(index);
  }
  return shown;
}

/** Indices of the lines that hold a text, whatever its case. */
export function findLines(lines: readonly Line[], text: string): number[] {
  const wanted = text.toLowerCase();
  if (wanted === '') return [];
  return lines.flatMap(({ spans }, index) =>
    spans
      .map((span) => span.text)
      .join('')
      .toLowerCase()
      .includes(wanted)
      ? [index]
      : [],
  );
}
