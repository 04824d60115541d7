import type { LoggerService } from '@nestjs/common';

/** Takes the place of the console, so that tests can read what was told. */
export class RecordedLog implements LoggerService {
  readonly lines: string[] = [];

  log(message: unknown): void {
    this.lines.push(`log ${String(message)}`);
  }

  warn(message: unknown): void {
    this.lines.push(`warn ${String(message)}`);
  }

  error(message: unknown): void {
    this.lines.push(`error ${String(message)}`);
  }

  matching(part: string): string[] {
    return this.lines.filter((line) => line.includes(part));
  }
}
