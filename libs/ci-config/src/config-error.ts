import type { Position } from './yaml/sources.js';

/** A fault that ends compilation where it is found. */
export class ConfigError extends Error {
  constructor(
    message: string,
    readonly path?: string[],
    readonly position?: Position,
  ) {
    super(message);
  }
}
