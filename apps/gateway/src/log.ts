import type { Logger } from 'pino';

/** What Nest injects the gateway's pino logger by, and its type. */
export const Log = Symbol('Log');
export type Log = Logger;
