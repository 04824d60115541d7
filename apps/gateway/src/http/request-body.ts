import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { bodyTooLarge, bodyTooSlow, invalidParameters, type Refusal, unsupportedContentType } from '#libs/contracts';
import { nestPairs } from './parameter-grammar.js';
import { type BodySettings, defaultBodyLimit } from './request-body.decorator.js';
import { mostPairs, parseUrlencoded, type SentParameters, tooManyParameters } from './request-parameters.js';

/**
 * Makes the server read bodies as the API needs it (trigger-api.md §0.2): forms and JSON become parameters, an empty body of whatever type
 * is no body, and each route may have limits and raw bodies of its own (`@RequestBody`). One reader stands for Fastify's whole set, since
 * its parsers refuse empty JSON and cannot differ by route.
 *
 * @param timeLimitMs how long a body may take to arrive; streams are watched by those who read them
 */
export function readBodies(server: FastifyInstance, timeLimitMs = 60_000): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (request: FastifyRequest, payload: Readable, done) => {
    const { as = 'parameters', limit = defaultBodyLimit } = bodySettings(request);
    if (request.is404) {
      payload.resume();
      done(null, undefined);
    } else if (as === 'stream') {
      done(null, payload);
    } else {
      collect(request, payload, limit, timeLimitMs).then(
        (bytes) => (as === 'buffer' ? done(null, bytes) : parse(request, bytes).then((body) => done(null, body), done)),
        done,
      );
    }
  });
}

function bodySettings(request: FastifyRequest): BodySettings {
  return (request.routeOptions.config as { body?: BodySettings } | undefined)?.body ?? {};
}

/** Not `for await`: leaving it early destroys the connection, and the caller would never read why. */
function collect(request: FastifyRequest, payload: Readable, limit: number, timeLimitMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    const refuse = (refusal: Refusal) => {
      clearTimeout(timer);
      payload.off('data', onData);
      reject(refusal);
    };
    const onData = (chunk: Buffer) => {
      received += chunk.length;
      if (received > limit) refuse(bodyTooLarge(limit));
      else chunks.push(chunk);
    };
    const timer = setTimeout(() => refuse(bodyTooSlow(timeLimitMs / 1000)), timeLimitMs);
    if (Number(request.headers['content-length']) > limit) return refuse(bodyTooLarge(limit));
    payload.on('data', onData);
    payload.on('error', () => refuse(invalidParameters('The request body ended early')));
    payload.on('end', () => {
      clearTimeout(timer);
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
  });
}

const json = /^application\/(?:[\w.+-]+\+)?json$/;

async function parse(request: FastifyRequest, bytes: Buffer): Promise<unknown> {
  if (bytes.length === 0) return undefined;
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw unsupportedContentType(`${request.headers['content-type'] ?? ''} (${encoding})`);
  const header = request.headers['content-type'] ?? '';
  const type = (header.split(';')[0] ?? '').trim().toLowerCase();
  if (json.test(type)) return parseJson(bytes);
  // Ruby's stack takes a body without a type for a form.
  if (type === 'application/x-www-form-urlencoded' || type === '')
    return parseForm(parseUrlencoded(textOf(bytes), 'request body'), request.headers);
  if (type === 'multipart/form-data') return parseMultipart(bytes, header);
  throw unsupportedContentType(type);
}

/** Git hosts whose webhooks may send an event as a form with one field, `payload`, that holds it as JSON. */
const formEvents = ['x-github-event', 'x-gitea-event', 'x-gogs-event'];

/** A webhook's event counts as if it had been sent as JSON; in any other form `payload` is a parameter like the others. */
function parseForm(form: SentParameters, headers: IncomingHttpHeaders): unknown {
  const { payload } = form;
  if (typeof payload !== 'string' || !formEvents.some((name) => headers[name] !== undefined)) return form;
  return parseJson(Buffer.from(payload));
}

/** The parser's own message quotes the body, which may hold a token, so it is not passed on. */
export function parseJson(bytes: Buffer): unknown {
  const text = textOf(bytes).replace(/^\uFEFF/, '');
  try {
    return JSON.parse(text);
  } catch {
    throw invalidParameters('The request body is not valid JSON');
  }
}

/** Bytes that are no UTF-8 would become question marks without a word. */
function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw invalidParameters('The request body is not valid UTF-8');
  return bytes.toString();
}

/**
 * Fields of a multipart form. Files are refused by the name of their field: no parameter of the API is one.
 * @throws Refusal 400 for a malformed body, also where the boundary is missing
 */
export async function parseMultipart(bytes: Buffer, contentType: string): Promise<SentParameters> {
  const pairs: [string, string][] = [];
  const mixed = !isUtf8(bytes);
  let refusal: Refusal | undefined;
  await new Promise<void>((resolve, reject) => {
    const malformed = () => reject(invalidParameters('The request body is not a valid multipart form'));
    let form: InstanceType<typeof Busboy>;
    try {
      form = new Busboy({
        headers: { 'content-type': contentType },
        limits: { fieldSize: bytes.length, parts: mostPairs },
        isPartAFile: (_name, _type, fileName) => fileName !== undefined,
      });
    } catch {
      return malformed();
    }
    form.on('field', (name, value) => {
      if (name === undefined) return;
      // Where a part names another encoding, the body as a whole need not be UTF-8.
      if (mixed && `${name}${value}`.includes('\uFFFD'))
        refusal ??= invalidParameters('The request body is not valid UTF-8');
      pairs.push([name, value]);
    });
    form.on('file', (name, stream) => {
      refusal ??= invalidParameters(`${name} is invalid`);
      stream.on('error', malformed).resume();
    });
    form.on('partsLimit', () => (refusal ??= tooManyParameters()));
    form.on('error', malformed);
    form.on('finish', resolve);
    form.end(bytes);
  });
  if (refusal) throw refusal;
  return nestPairs(pairs);
}
