import type { LoggerService } from '@nestjs/common';
import { type Logger, pino } from 'pino';

/** Levels of a log, the quietest last. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** A process's log: one line of JSON for each event, on standard output. */
export function createLog(name: string, level: string): Logger {
  return pino({ level, base: { service: name } });
}

/** What Nest itself has to say: which handlers are bound where is of interest at a start, the list of modules only to who debugs. */
export class NestLog implements LoggerService {
  constructor(private readonly lines: Logger) {}

  log(text: unknown, context?: unknown): void {
    this.lines[context === 'Messaging' ? 'info' : 'debug']({ context }, String(text));
  }

  warn(text: unknown, context?: unknown): void {
    this.lines.warn({ context }, String(text));
  }

  error(error: unknown, ...rest: unknown[]): void {
    this.lines.error({ err: error instanceof Error ? error : undefined, context: rest.at(-1) }, String(error));
  }

  fatal(error: unknown, ...rest: unknown[]): void {
    this.lines.fatal({ err: error instanceof Error ? error : undefined, context: rest.at(-1) }, String(error));
  }
}
