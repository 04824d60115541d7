import { randomFillSync } from 'node:crypto';

/** Asking for random bytes costs more than making the id of them, so many are asked for at once; none is used twice. */
const pool = Buffer.alloc(10 * 512);
let used = pool.length;

function tenRandomBytes(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += 10;
  return pool.subarray(used - 10, used);
}

/** A UUID of version 7 (RFC 9562 §5.7): sorts by time, so that indexes on it grow at one end. */
export function uuidv7(now: number = Date.now(), random: Buffer = tenRandomBytes()): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(now, 0, 6);
  random.copy(bytes, 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
