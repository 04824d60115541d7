import { readStorageUrl } from './storage-url.js';

const amazon = { prefix: '', endpoint: undefined, region: 'us-east-1', isReachable: true };

it.each<[string, object]>([
  ['/var/lib/flagfall', { directory: '/var/lib/flagfall' }],
  ['data/storage', { directory: 'data/storage' }],
  ['file:///srv/a%20b', { directory: '/srv/a b' }],
  ['s3://logs', { bucket: { ...amazon, name: 'logs' } }],
  ['s3://logs/', { bucket: { ...amazon, name: 'logs' } }],
  [
    's3://logs/ci/one?region=eu-central-1',
    { bucket: { ...amazon, name: 'logs', prefix: 'ci/one/', region: 'eu-central-1' } },
  ],
  ['s3://logs?endpoint=http://minio:9000', { bucket: { ...amazon, name: 'logs', endpoint: 'http://minio:9000' } }],
  [
    's3://logs?endpoint=https%3A%2F%2Fs3.example%2F',
    { bucket: { ...amazon, name: 'logs', endpoint: 'https://s3.example/' } },
  ],
  ['s3://logs?direct_download=false', { bucket: { ...amazon, name: 'logs', isReachable: false } }],
])('%s', (url, expected) => expect(readStorageUrl(url)).toEqual(expected));

it.each([
  ['http://bucket', 'is neither'],
  ['file://host/path', 'is neither'],
  ['s3://key:secret@bucket', 'holds credentials'],
  ['s3:///prefix', 'names no bucket'],
  ['s3://logs?endpoint=minio:9000', 'endpoint that does not begin'],
  ['s3://logs?path_style=true', 'endpoint, region and direct_download only'],
  ['s3://logs?direct_download=no', 'neither true nor false'],
  ['s3://logs/a%20b', 'prefix'],
])('%s %s', (url, fault) => {
  const read = readStorageUrl(url);
  expect(read).toEqual({ fault: expect.stringContaining(fault) as string });
  expect(JSON.stringify(read)).not.toContain('secret');
});
