import type { IncomingMessage } from 'node:http';

/** What proxies add; whoever calls by one on this machine is not of this machine for all that. */
const forwarding = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'];

/** Whether a request was sent on this machine, and not only passed on by a proxy on it. */
export function isOfThisMachine({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): boolean {
  const local = /^(?:::ffff:)?127\.|^::1$/.test(socket.remoteAddress ?? '');
  return local && !forwarding.some((name) => headers[name] !== undefined);
}
