import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

/** Nest's own lines in the service's log: its start-up at debug, everything else at the level it says. */
export class NestLog implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(text: unknown, context?: unknown): void {
    // Bindings of handlers are of interest at start (house style); the list of modules is not.
    this.logger[context === 'Messaging' ? 'info' : 'debug']({ context }, String(text));
  }

  warn(text: unknown, context?: unknown): void {
    this.logger.warn({ context }, String(text));
  }

  error(error: unknown, ...rest: unknown[]): void {
    this.logger.error({ err: error instanceof Error ? error : undefined, context: rest.at(-1) }, String(error));
  }

  fatal(error: unknown, ...rest: unknown[]): void {
    this.logger.fatal({ err: error instanceof Error ? error : undefined, context: rest.at(-1) }, String(error));
  }
}
