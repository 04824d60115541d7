/** What Nest injects the service's pino logger by. */
export const Log = Symbol('Log');
