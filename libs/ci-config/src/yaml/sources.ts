/** Where something stands: file and character in one number, since a configuration has tens of thousands of keys. */
export type Position = number;

const charactersPerFile = 2 ** 32;

/** The texts that a configuration is made of; tells people where a position lies. */
export class Sources {
  private readonly files: { text: string; name?: string; lineStarts?: number[] }[] = [];

  /** Adds a text and gives the position of its first character. `name`: of an included file. */
  add(text: string, name?: string): Position {
    this.files.push(name === undefined ? { text } : { text, name });
    return (this.files.length - 1) * charactersPerFile;
  }

  /** Line (1 = first), and the file unless it is the one that was given. */
  locate(position: Position): { line: number; file?: string } {
    const file = this.files[Math.floor(position / charactersPerFile)];
    if (!file) return { line: 1 };
    file.lineStarts ??= lineStarts(file.text);
    const line = lastAtMost(file.lineStarts, position % charactersPerFile) + 1;
    return file.name === undefined ? { line } : { line, file: file.name };
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (const match of text.matchAll(/\r\n|\n|\r/g)) starts.push(match.index + match[0].length);
  return starts;
}

function lastAtMost(sorted: readonly number[], wanted: number): number {
  let low = 0;
  let high = sorted.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= wanted) low = middle;
    else high = middle;
  }
  return low;
}
