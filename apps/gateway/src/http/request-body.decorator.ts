import { RouteSetting } from './route-settings.js';

/** What a route does with request bodies. */
export interface BodySettings {
  /** Largest body in bytes. */
  limit?: number;
  /**
   * `parameters`, the default: forms and JSON become parameters. `buffer`: the bytes as they came, whatever their type, at `request.body`.
   * `stream`: unread, at `request.body`; the handler sees to the limit itself.
   */
  as?: 'parameters' | 'buffer' | 'stream';
}

/** Enough for every call of the API but webhooks and job logs. */
export const defaultBodyLimit = 1024 * 1024;

/** Push events of large pushes run to several megabytes (trigger-api.md §8.10). */
export const webhookBodyLimit = 16 * 1024 * 1024;

/** Says how a route wants its request bodies. */
export const RequestBody = (settings: BodySettings): MethodDecorator => RouteSetting({ body: settings });
