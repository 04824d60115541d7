import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  bodyTooLarge,
  bodyTooSlow,
  invalidParameters,
  type Refusal,
  unavailable,
  unsupportedContentType,
} from '#libs/contracts';
import type { BodyMemory, BodyShare } from './body-memory.js';
import { nestPairs } from './parameter-grammar.js';
import { defaultBodyLimit } from './request-body.decorator.js';
import { mostPairs, parseUrlencoded, type SentParameters, tooManyParameters } from './request-parameters.js';
import { routeSettings } from './route-settings.js';

/** How bodies are bounded, beside the limits of the routes. */
export interface BodyBounds {
  /** Where those have their room that are read. */
  memory: BodyMemory;
  /** How long one may take to arrive; for a stream, how long nothing of it may come. */
  timeLimitMs?: number;
}

/** Of JSON: names, values and brackets. A push event of 16 MiB has about half as many. */
const mostMarks = 2_000_000;
/** What each of them takes beside the text, in bytes: an empty map in a list is two. */
const bytesOfMark = 40;

const shares = new WeakMap<FastifyRequest, BodyShare>();

/**
 * Makes the server read bodies as the API needs it (trigger-api.md §0.2): forms and JSON become parameters, an empty body of whatever type
 * is no body, and each route may have limits and raw bodies of its own (`@RequestBody`). One reader stands for Fastify's whole set, since
 * its parsers refuse empty JSON and cannot differ by route.
 *
 * A body that is read has its share of the memory until its request is answered. Without room it is refused, if possible before it is read.
 */
export function readBodies(server: FastifyInstance, bounds: BodyBounds): void {
  const { memory, timeLimitMs = 60_000 } = bounds;
  const goOn = answersToExpect(server.server);
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (request: FastifyRequest, payload: Readable, done) => {
    const { as = 'parameters', limit = defaultBodyLimit } = routeSettings(request).body ?? {};
    if (request.is404) {
      payload.resume();
      done(null, undefined);
    } else if (as === 'stream') {
      goOn(request.raw);
      endIdle(request.raw, timeLimitMs);
      done(null, payload);
    } else {
      const share = memory.open(performance.now());
      shares.set(request, share);
      collect(request, payload, share, { limit, memory, timeLimitMs, goOn }).then((bytes) => {
        if (as === 'buffer') return done(null, bytes);
        const takeMore = (more: number): void => {
          if (!memory.take(share, more, performance.now())) throw unavailable();
        };
        parse(request, bytes, takeMore).then((body) => done(null, body), done);
      }, done);
    }
  });
  // Not when the connection closes: the handler works on what was read, whether or not the caller still waits.
  server.addHook('onSend', (request, _reply, payload, done) => {
    const share = shares.get(request);
    if (share) memory.release(share);
    done(null, payload);
  });
}

/** curl asks before it sends a large body. Node would tell it to go on at once; whoever reads the body does so instead, so that a refusal saves sending it. */
function answersToExpect(server: Server): (request: IncomingMessage) => void {
  const asked = new WeakMap<IncomingMessage, ServerResponse>();
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    asked.set(request, response);
    server.emit('request', request, response);
  });
  return (request) => asked.get(request)?.writeContinue();
}

/** A stream takes as long as it takes, but not without a byte. */
function endIdle(request: IncomingMessage, limitMs: number): void {
  let before = -1;
  const timer = setInterval(() => {
    if (request.socket.bytesRead === before) request.socket.destroy();
    before = request.socket.bytesRead;
  }, limitMs).unref();
  for (const over of ['end', 'close']) request.once(over, () => clearInterval(timer));
}

interface Collecting extends Required<BodyBounds> {
  /** Of the route, in bytes. */
  limit: number;
  /** Tells a caller who asked that the body may come. */
  goOn: (request: IncomingMessage) => void;
}

/** Not `for await`: leaving it early destroys the connection, and the caller would never read why. */
function collect(
  request: FastifyRequest,
  payload: Readable,
  share: BodyShare,
  { limit, memory, timeLimitMs, goOn }: Collecting,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let received = 0;
    const refuse = (refusal: Refusal) => {
      clearTimeout(timer);
      payload.off('data', onData);
      chunks = [];
      memory.release(share);
      reject(refusal);
    };
    const onData = (chunk: Buffer) => {
      received += chunk.length;
      if (received > limit) refuse(bodyTooLarge(limit));
      else if (!memory.take(share, chunk.length, performance.now())) refuse(unavailable());
      else chunks.push(chunk);
    };
    const timer = setTimeout(() => refuse(bodyTooSlow(timeLimitMs / 1000)), timeLimitMs);
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > limit) return refuse(bodyTooLarge(limit));
    if (!memory.fits(share, announced, performance.now())) return refuse(unavailable());
    share.evicted = () => refuse(unavailable());
    goOn(request.raw);
    payload.on('data', onData);
    payload.on('error', () => refuse(invalidParameters('The request body ended early')));
    payload.on('end', () => {
      clearTimeout(timer);
      memory.arrived(share);
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
  });
}

const json = /^application\/(?:[\w.+-]+\+)?json$/;

/** @param takeMore for what the body takes beside its bytes, once it is read; throws where there is no room */
async function parse(request: FastifyRequest, bytes: Buffer, takeMore: (bytes: number) => void): Promise<unknown> {
  const readJson = (text: Buffer): unknown => {
    takeMore(bytesOfMark * countMarks(text));
    return parseJson(text);
  };
  if (bytes.length === 0) return undefined;
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw unsupportedContentType(`${request.headers['content-type'] ?? ''} (${encoding})`);
  const header = request.headers['content-type'] ?? '';
  const type = (header.split(';')[0] ?? '').trim().toLowerCase();
  if (json.test(type)) return readJson(bytes);
  // Ruby's stack takes a body without a type for a form.
  if (type === 'application/x-www-form-urlencoded' || type === '')
    return parseForm(parseUrlencoded(textOf(bytes), 'request body'), request.headers, readJson);
  if (type === 'multipart/form-data') return parseMultipart(bytes, header);
  throw unsupportedContentType(type);
}

/** Git hosts whose webhooks may send an event as a form with one field, `payload`, that holds it as JSON. */
const formEvents = ['x-github-event', 'x-gitea-event', 'x-gogs-event'];

/** A webhook's event counts as if it had been sent as JSON; in any other form `payload` is a parameter like the others. */
function parseForm(form: SentParameters, headers: IncomingHttpHeaders, readJson: (text: Buffer) => unknown): unknown {
  const { payload } = form;
  if (typeof payload !== 'string' || !formEvents.some((name) => headers[name] !== undefined)) return form;
  return readJson(Buffer.from(payload));
}

const [quote, backslash, ...marks] = Buffer.from('"\\,:[{');

/**
 * How many names, values and brackets there are at most in a text of JSON, whose size says little about what it takes once it is read.
 * @throws Refusal 400 when there are too many
 */
export function countMarks(text: Buffer): number {
  const [comma, colon, bracket, brace] = marks;
  let count = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index++) {
    const byte = text[index];
    if (byte === quote) quoted = !quoted;
    else if (quoted) index += byte === backslash ? 1 : 0;
    else if (byte === comma || byte === colon || byte === bracket || byte === brace) count += 1;
  }
  if (count > mostMarks)
    throw invalidParameters(`The request body has more than ${mostMarks} names, values and brackets`);
  return count;
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
