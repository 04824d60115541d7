import { presignedUrl } from './presigned-url.js';

const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

it('signs as the example in Amazon’s manual', () => {
  const object = new URL('https://examplebucket.s3.amazonaws.com/test.txt');
  const now = new Date('2013-05-24T00:00:00Z');
  expect(presignedUrl(object, 'us-east-1', credentials, 86_400, now)).toBe(
    'https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256' +
      '&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
      '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
      '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  );
});

it('names the session of credentials that a machine was given, and never the secret', () => {
  const object = new URL('http://minio:9000/jobs/ci/a?response-content-disposition=attachment; filename="a b.zip"');
  const url = new URL(presignedUrl(object, 'eu-west-1', { ...credentials, sessionToken: 'a+/b' }, 60, new Date(0)));
  expect(url.searchParams.get('X-Amz-Security-Token')).toBe('a+/b');
  expect(url.searchParams.get('response-content-disposition')).toBe('attachment; filename="a b.zip"');
  expect(url.href).not.toContain('EXAMPLEKEY');
});
