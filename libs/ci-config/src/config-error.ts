/** A fault that ends compilation where it is found; `line` in the file that was given, when it lies there. */
export class ConfigError extends Error {
  constructor(
    message: string,
    readonly path?: string[],
    readonly line?: number,
  ) {
    super(message);
  }
}
