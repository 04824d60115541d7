import { createHash, createHmac } from 'node:crypto';

/** Who signs; a session's token belongs to credentials that a machine is given for some hours. */
export interface SigningCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/**
 * An address by which anybody may get one object of a bucket for a time, signed in its query (Amazon's Signature Version 4, which other servers
 * check the same way).
 * @param object its address, path and query not yet encoded beyond what a URL needs
 * @param expiresIn seconds, a week at most
 * @param now when it begins to be good
 */
export function presignedUrl(
  object: URL,
  region: string,
  { accessKeyId, secretAccessKey, sessionToken }: SigningCredentials,
  expiresIn: number,
  now: Date,
): string {
  const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const scope = `${day}/${region}/s3/aws4_request`;
  const parameters = [
    ...object.searchParams,
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${accessKeyId}/${scope}`],
    ['X-Amz-Date', time],
    ['X-Amz-Expires', String(expiresIn)],
    ...(sessionToken === undefined ? [] : [['X-Amz-Security-Token', sessionToken]]),
    ['X-Amz-SignedHeaders', 'host'],
  ].map(([name = '', value = '']) => `${encode(name)}=${encode(value)}`);
  const query = parameters.sort().join('&');
  const path = decodeURIComponent(object.pathname).split('/').map(encode).join('/');
  const request = `GET\n${path}\n${query}\nhost:${object.host}\n\nhost\nUNSIGNED-PAYLOAD`;
  const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${createHash('sha256').update(request).digest('hex')}`;
  const key = [day, region, 's3', 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`));
  return `${object.origin}${path}?${query}&X-Amz-Signature=${hmac(key, toSign).toString('hex')}`;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** As the signature wants it: more is encoded than elsewhere. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
