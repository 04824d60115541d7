import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DiskStorage } from './disk-storage.js';
import { DiskLiveLogs } from './disk-live-logs.js';
import type { LiveLogs } from './live-logs.js';
import { PieceLiveLogs } from './piece-live-logs.js';
import { type Bucket, S3Storage } from './s3-storage.js';
import type { Storage } from './storage.js';

/** What `STORAGE_URL` names. */
export type StoragePlace = { directory: string } | { bucket: Bucket };

const usualRegion = 'us-east-1';
const parameters = ['endpoint', 'region', 'direct_download'];

/**
 * Reads a `STORAGE_URL`: a directory as a path or a `file:` address, or `s3://bucket/prefix?endpoint=https://host&region=name&direct_download=false`.
 * @returns what is wrong with it, in a sentence that says nothing of what it holds
 */
export function readStorageUrl(text: string): StoragePlace | { fault: string } {
  if (text.startsWith('file:///')) return { directory: fileURLToPath(text) };
  if (!/^[a-z][a-z0-9+.-]+:/i.test(text)) return { directory: text };
  if (!text.startsWith('s3://') || !URL.canParse(text))
    return { fault: 'is neither an absolute path nor an address that begins with file:/// or s3://' };
  const { hostname, pathname, searchParams, username, password } = new URL(text);
  if (username || password)
    return { fault: 'holds credentials: give them in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY' };
  if (hostname === '') return { fault: 'names no bucket: s3://bucket/prefix' };
  const unknown = [...searchParams.keys()].find((name) => !parameters.includes(name));
  if (unknown !== undefined) return { fault: 'may have the parameters endpoint, region and direct_download only' };
  const direct = searchParams.get('direct_download') ?? 'true';
  if (direct !== 'true' && direct !== 'false') return { fault: 'has a direct_download that is neither true nor false' };
  const endpoint = searchParams.get('endpoint') ?? undefined;
  if (endpoint !== undefined && !(URL.canParse(endpoint) && /^https?:/.test(endpoint)))
    return { fault: 'has an endpoint that does not begin with http:// or https://' };
  const prefix = pathname.replace(/^\/+|\/+$/g, '');
  if (!/^[\w./-]*$/.test(prefix))
    return { fault: 'has a prefix with other characters than letters, digits and . _ - /' };
  const region = searchParams.get('region') || usualRegion;
  const isReachable = direct === 'true';
  return { bucket: { name: hostname, prefix: prefix === '' ? '' : `${prefix}/`, endpoint, region, isReachable } };
}

/** @throws Error for a `STORAGE_URL` that `readStorageUrl` finds fault with */
export async function openStorage(url: string): Promise<Storage> {
  const place = readStorageUrl(url);
  if ('fault' in place) throw new Error(`STORAGE_URL ${place.fault}`);
  return 'directory' in place ? new DiskStorage(resolve(place.directory)) : S3Storage.open(place.bucket);
}

/** Logs that grow lie in the same place as what does not. */
export function liveLogsIn(storage: Storage): LiveLogs {
  return storage instanceof DiskStorage ? new DiskLiveLogs(storage.directory) : new PieceLiveLogs(storage);
}
