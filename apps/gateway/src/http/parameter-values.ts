/**
 * How one value of a parameter is read, whatever form it came in. Each function answers `undefined` for what cannot be read as its kind.
 * The accepted forms are GitLab's (trigger-api.md §0.2).
 */

/** Text as it is; numbers and truth values of a JSON body in their written form. */
export function readString(raw: unknown): string | undefined {
  if (typeof raw === 'string') return raw;
  return typeof raw === 'number' || typeof raw === 'boolean' ? String(raw) : undefined;
}

/**
 * A whole number. One beyond what JavaScript holds exactly is read as the last that it does hold, which is no less out of every range and
 * nobody's id: GitLab finds nothing under it either (trigger-api.md §2.2).
 */
export function readInteger(raw: unknown): number | undefined {
  const number = typeof raw === 'string' && /^[+-]?\d{1,300}$/.test(raw.trim()) ? Number(raw) : raw;
  if (typeof number !== 'number' || !Number.isInteger(number)) return undefined;
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(-Number.MAX_SAFE_INTEGER, number));
}

const yes = new Set(['true', 't', '1', 'on', 'yes', 'y']);
const no = new Set(['false', 'f', '0', 'off', 'no', 'n']);

/** `true`, `True` (python-gitlab), `t`, `1`, `on`, `yes`, `y` and their counterparts. */
export function readBoolean(raw: unknown): boolean | undefined {
  if (typeof raw === 'boolean') return raw;
  const word = typeof raw === 'string' || typeof raw === 'number' ? String(raw).toLowerCase() : '';
  if (yes.has(word)) return true;
  return no.has(word) ? false : undefined;
}

const iso =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;

/**
 * A date or date-time of ISO 8601; without an offset it is UTC. JavaScript's own parser is not used, since it takes `2308` for a year and
 * `01/01/2050` for a date, which GitLab refuses (trigger-api.md §2.2).
 */
export function readDateTime(raw: unknown): Date | undefined {
  const found = typeof raw === 'string' ? iso.exec(raw.trim()) : null;
  if (!found) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '0', offset = 'Z'] = found;
  const milliseconds = fraction.padEnd(3, '0').slice(0, 3);
  const atUtc = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${milliseconds}Z`);
  // The 30th of February is carried over into March silently.
  if (Number.isNaN(atUtc.getTime()) || atUtc.getUTCDate() !== Number(day)) return undefined;
  const minutes = offsetMinutes(offset);
  if (minutes === undefined) return undefined;
  const at = new Date(atUtc.getTime() - minutes * 60_000);
  return hasWritableYear(at) ? at : undefined;
}

/** PostgreSQL has no year 0, and ISO 8601 writes years of more than four digits in a form of its own that hardly anybody reads. */
export function hasWritableYear(at: Date): boolean {
  const year = at.getUTCFullYear();
  return year >= 1 && year <= 9999;
}

function offsetMinutes(offset: string): number | undefined {
  if (offset.toUpperCase() === 'Z') return 0;
  const hours = Number(offset.slice(1, 3));
  const minutes = Number(offset.slice(3).replace(':', '') || 0);
  if (hours > 23 || minutes > 59) return undefined;
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

/** A map with whatever values; lists are none. */
export function readMap(raw: unknown): Record<string, unknown> | undefined {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) ? (raw as Record<string, unknown>) : undefined;
}
