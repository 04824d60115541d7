import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { presignedUrl } from './presigned-url.js';
import { NotStored, partOf, Storage } from './storage.js';

/** Two parts of an object are on their way at once, so an upload takes twice this much memory; ten thousand parts are the most there can be. In bytes. */
const partSize = 8 * 1_048_576;
const partsAtOnce = 2;
const connectMs = 5_000;
/** Nothing on a connection for so long is an error. */
const silenceMs = 60_000;

/** A download begins at once; one that has begun goes on. */
const addressSeconds = 300;

/** Where a bucket is, as `STORAGE_URL` names it. */
export interface Bucket {
  name: string;
  /** With a slash at the end, or empty. */
  prefix: string;
  /** Of a server that is not Amazon's; undefined for Amazon's. */
  endpoint: string | undefined;
  region: string;
  /** Whether runners may be sent there for what they download. */
  isReachable: boolean;
}

type Client = typeof import('@aws-sdk/client-s3') & typeof import('@aws-sdk/lib-storage');

/**
 * A bucket of Amazon S3 or of a server that speaks the same. Credentials come from where Amazon's tools look for them: `AWS_ACCESS_KEY_ID` and
 * `AWS_SECRET_ACCESS_KEY`, or what the machine is given.
 */
export class S3Storage extends Storage {
  private constructor(
    private readonly sdk: Client,
    private readonly client: S3Client,
    private readonly bucket: Bucket,
  ) {
    super();
  }

  /** The client is 20 MB, and is loaded only here. */
  static async open(bucket: Bucket): Promise<S3Storage> {
    const sdk = { ...(await import('@aws-sdk/client-s3')), ...(await import('@aws-sdk/lib-storage')) };
    const client = new sdk.S3Client({
      region: bucket.region,
      ...(bucket.endpoint !== undefined && { endpoint: bucket.endpoint, forcePathStyle: true }),
      // Checksums that only Amazon knows are left out: other servers would store them as part of the object, or refuse.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: connectMs, socketTimeout: silenceMs },
    });
    return new S3Storage(sdk, client, bucket);
  }

  async write(key: string, content: Readable): Promise<void> {
    const upload = new this.sdk.Upload({
      client: this.client,
      params: { ...this.#object(key), Body: content },
      partSize,
      queueSize: partsAtOnce,
    });
    try {
      await upload.done();
    } catch (error) {
      content.destroy();
      // The reason why there was no more to store is what the caller wants to hear.
      throw content.errored ?? error;
    }
  }

  async read(key: string, start = 0, end?: number): Promise<Readable> {
    const ranged = start > 0 || end !== undefined;
    const range = ranged ? { Range: `bytes=${start}-${end ?? ''}` } : {};
    try {
      const answer = await this.client.send(new this.sdk.GetObjectCommand({ ...this.#object(key), ...range }));
      const content = answer.Body as Readable;
      if (!ranged) return content;
      // A server need not heed a range, and some give more than was asked for.
      const from = answer.ContentRange === undefined ? start : 0;
      const to = end === undefined ? Infinity : from + end - start;
      return Readable.from(partOf(content, from, to), { objectMode: false });
    } catch (error) {
      throw isMissing(error) ? new NotStored(key, { cause: error }) : error;
    }
  }

  async address(key: string, filename: string): Promise<string | null> {
    const { name, endpoint, region, isReachable } = this.bucket;
    if (!isReachable) return null;
    // Names with dots do not fit the certificates of Amazon's servers; elsewhere the bucket stands in the path, as for all else here.
    const host = name.includes('.')
      ? `https://s3.${region}.amazonaws.com`
      : `https://${name}.s3.${region}.amazonaws.com`;
    const inPath = endpoint !== undefined || name.includes('.');
    const url = new URL(endpoint ?? host);
    url.pathname = [url.pathname.replace(/\/+$/, ''), ...(inPath ? [name] : []), this.#object(key).Key].join('/');
    url.searchParams.set('response-content-disposition', `attachment; filename="${filename}"`);
    return presignedUrl(url, region, await this.client.config.credentials(), addressSeconds, new Date());
  }

  async size(key: string): Promise<number | null> {
    try {
      const { ContentLength } = await this.client.send(new this.sdk.HeadObjectCommand(this.#object(key)));
      return ContentLength ?? 0;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async *list(prefix: string): AsyncIterable<string> {
    for await (const { key } of this.#objects(prefix)) yield key;
  }

  /** Parts of uploads that never ended are not listed: buckets have a rule of their own for them. */
  async *storedBefore(prefix: string, time: Date): AsyncIterable<string> {
    for await (const { key, modified } of this.#objects(prefix)) if (modified && modified < time) yield key;
  }

  async *#objects(prefix: string): AsyncIterable<{ key: string; modified: Date | undefined }> {
    const { name: Bucket, prefix: ours } = this.bucket;
    for await (const { Contents = [] } of this.sdk.paginateListObjectsV2(
      { client: this.client },
      { Bucket, Prefix: `${ours}${prefix}` },
    ))
      for (const { Key, LastModified } of Contents)
        if (Key) yield { key: Key.slice(ours.length), modified: LastModified };
  }

  async delete(key: string): Promise<void> {
    await this.client.send(new this.sdk.DeleteObjectCommand(this.#object(key)));
  }

  #object(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket.name, Key: `${this.bucket.prefix}${key}` };
  }
}

function isMissing(error: unknown): boolean {
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
  return name === 'NoSuchKey' || name === 'NotFound' || (name !== 'NoSuchBucket' && $metadata?.httpStatusCode === 404);
}
