import { type Look, lookAfter, plain, type Span, spansOf } from './ansi.js';

export interface Line {
  /** From 1, as links name it. */
  number: number;
  spans: Span[];
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
const erase = '\u001b[0K';

/**
 * A job's log, read as it grows: lines with colours (runner-api.md §4), and the sections that fold. Colours go on from line to line, and a text
 * that a carriage return overwrites is not shown. What comes is only cut into lines; how one looks is found out when it is asked for, since
 * few of a hundred thousand are ever looked at.
 */
export class JobLog {
  readonly sections: Section[] = [];
  readonly #texts: string[] = [];
  /** Of each line the section that it belongs to, the innermost; -1 for none. */
  readonly #sectionOf: number[] = [];
  /** Sections by the lines that are their headings. */
  readonly #headings = new Map<number, number>();
  /** How each line begins, as far as that was asked for. */
  readonly #looks: Look[] = [0];
  /** What search looks through, as far as that was asked for. */
  readonly #lowered: string[] = [];
  #rest = '';
  #open = -1;
  /** A section whose heading is what the line with its mark goes on with. */
  #heading = -1;

  /** How many lines there are. */
  get size(): number {
    return this.#texts.length;
  }

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

  /** @param index from 0, below the size */
  line(index: number): Line {
    const [hidden, seen] = overwritten(this.#texts[index] ?? '');
    return {
      number: index + 1,
      spans: spansOf(seen, lookAfter(hidden, this.#lookAt(index))),
      heads: this.#headings.get(index) ?? -1,
    };
  }

  /** The section around a line, for a heading the one around its own; -1 for none. */
  sectionAround(index: number): number {
    const heads = this.#headings.get(index);
    return heads === undefined ? (this.#sectionOf[index] ?? -1) : (this.sections[heads]?.parent ?? -1);
  }

  /** Indices of the lines that are shown while some sections are folded; the headings of those stay. */
  shown(folded: ReadonlySet<number>): number[] {
    const hidden: boolean[] = [];
    for (const [index, { parent }] of this.sections.entries())
      hidden[index] = folded.has(index) || (parent >= 0 && (hidden[parent] ?? false));
    const shown: number[] = [];
    for (let index = 0; index < this.size; index++)
      if (folded.size === 0 || !hidden[this.sectionAround(index)]) shown.push(index);
    return shown;
  }

  /** Indices of the lines that hold a text, whatever its case. */
  find(text: string): number[] {
    const wanted = text.toLowerCase();
    const found: number[] = [];
    if (wanted === '') return found;
    for (let index = 0; index < this.size; index++) {
      const line = (this.#lowered[index] ??= plain(overwritten(this.#texts[index] ?? '')[1]).toLowerCase());
      if (line.includes(wanted)) found.push(index);
    }
    return found;
  }

  #lookAt(index: number): Look {
    for (let known = this.#looks.length; known <= index; known++)
      this.#looks.push(lookAfter(this.#texts[known - 1] ?? '', this.#looks[known - 1] ?? 0));
    return this.#looks[index] ?? 0;
  }

  #add(raw: string): void {
    let text = raw;
    if (raw.includes('section_')) {
      const before = this.sections.length;
      text = this.#takeMarks(raw);
      // A line that was nothing but marks is none.
      if (text === '' && this.sections.length === before) return;
    }
    if (this.#heading >= 0) this.#headings.set(this.size, this.#heading);
    this.#heading = -1;
    this.#sectionOf.push(this.#open);
    this.#texts.push(text);
  }

  #takeMarks(text: string): string {
    let rest = text;
    for (;;) {
      const start = rest.startsWith(erase) ? rest.slice(erase.length) : rest;
      const found = mark.exec(start);
      if (!found) return start;
      const [whole, kind, seconds, name = '', options = ''] = found;
      if (kind === 'start') this.#start(name, Number(seconds), options);
      else this.#finish(name, Number(seconds));
      rest = start.slice(whole.length);
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
}

/** What a terminal would show of a line: only what comes after its last carriage return, unless that ends it. */
function overwritten(line: string): [hidden: string, seen: string] {
  if (!line.includes('\r')) return ['', line];
  const text = line.replace(/\r+$/, '');
  const cut = text.lastIndexOf('\r') + 1;
  return [text.slice(0, cut), text.slice(cut)];
}

/** The same spans, with the pieces apart that are a text that was searched for. */
export function markedSpans(spans: readonly Span[], wanted: string): (Span & { match: boolean })[] {
  const sought = wanted.toLowerCase();
  const whole = spans
    .map(({ text }) => text)
    .join('')
    .toLowerCase();
  const matches = new Set<number>();
  for (let at = sought === '' ? -1 : whole.indexOf(sought); at >= 0; at = whole.indexOf(sought, at + sought.length))
    for (let each = 0; each < sought.length; each++) matches.add(at + each);
  let offset = 0;
  return spans.flatMap(({ text, classes }) => {
    const pieces: (Span & { match: boolean })[] = [];
    for (const character of text) {
      const match = matches.has(offset);
      offset += character.length;
      const last = pieces.at(-1);
      if (last?.match === match) last.text += character;
      else pieces.push({ text: character, classes, match });
    }
    return pieces;
  });
}
