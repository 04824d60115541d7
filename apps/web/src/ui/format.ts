import type { Status } from '../api/types.js';

const units: [seconds: number, unit: Intl.RelativeTimeFormatUnit][] = [
  [31_536_000, 'year'],
  [2_592_000, 'month'],
  [604_800, 'week'],
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** "3 minutes ago", "tomorrow"; "just now" for what is within a minute. */
export function timeAgo(iso: string, now: number): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  const [size, unit] = units.find(([size]) => Math.abs(seconds) >= size) ?? [];
  return size && unit ? relative.format(Math.trunc(seconds / size), unit) : 'just now';
}

/** `00:01:05` as GitLab shows how long something took. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

export function bytes(count: number): string {
  const [size, unit] = count >= 1024 ** 2 ? [1024 ** 2, 'MiB'] : count >= 1024 ? [1024, 'KiB'] : [1, 'bytes'];
  return `${size === 1 ? count : (count / size).toFixed(1)} ${unit}`;
}

const words: Partial<Record<Status, string>> = {
  success: 'Passed',
  waiting_for_resource: 'Waiting',
  canceling: 'Canceling',
};

/** The status in GitLab's words. */
export function statusText(status: Status): string {
  return words[status] ?? status.charAt(0).toUpperCase() + status.slice(1);
}

export function isFinished(status: Status): boolean {
  return ['success', 'failed', 'canceled', 'skipped'].includes(status);
}

const sources: Record<string, string> = {
  trigger: 'triggered',
  pipeline: 'multi-project',
  parent_pipeline: 'child',
  api: 'API',
  web: 'manually run',
};

/** The badge of a pipeline's source. */
export function sourceText(source: string): string {
  return sources[source] ?? source;
}
