import { collectDefaultMetrics, Registry } from 'prom-client';

/** A registry of this gateway's own, since several services may share a process; parts add their metrics to it. */
export function processMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}
