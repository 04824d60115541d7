import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Everything comes from here and goes here; no inline script or style, no frame around it. */
const contentSecurityPolicy = [
  "default-src 'none'",
  ...['script-src', 'style-src', 'img-src', 'connect-src', 'font-src', 'form-action'].map((each) => `${each} 'self'`),
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const headersOfAll = {
  'Content-Security-Policy': contentSecurityPolicy,
  'Referrer-Policy': 'same-origin',
  Vary: 'Accept-Encoding',
};

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
};

/** Names below it contain a hash of the content. */
const hashed = '/assets/';
const yearSeconds = 31_536_000;

type Encoding = 'identity' | 'gzip' | 'br';

/** What is smaller is sent as it is: its headers are larger. */
const worthCompressing = 1_024;
const brotliQuality = 9;

const compressors: Record<Exclude<Encoding, 'identity'>, (content: Buffer) => Promise<Buffer>> = {
  br: (content) => promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_QUALITY]: brotliQuality } }),
  gzip: (content) => promisify(gzip)(content, { level: constants.Z_BEST_COMPRESSION }),
};

/** One file of the built pages, in memory. Each encoding is made when it is first asked for, and kept. */
class PageFile {
  readonly etag: string;
  readonly contentType: string;
  readonly cacheControl: string;
  readonly #content: Buffer;
  readonly #encoded = new Map<Encoding, Promise<Buffer>>();

  constructor(path: string, content: Buffer) {
    this.#content = content;
    this.etag = `W/"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
    this.contentType = contentTypes[extname(path)] ?? 'application/octet-stream';
    this.cacheControl = path.startsWith(hashed) ? `public, max-age=${yearSeconds}, immutable` : 'no-cache';
  }

  encodingFor(accepted: string): Encoding {
    const isText = !/^(?:font|image\/(?!svg))/.test(this.contentType);
    if (!isText || this.#content.length < worthCompressing) return 'identity';
    return (['br', 'gzip'] as const).find((each) => accepts(accepted, each)) ?? 'identity';
  }

  encoded(encoding: Encoding): Promise<Buffer> {
    if (encoding === 'identity') return Promise.resolve(this.#content);
    let made = this.#encoded.get(encoding);
    if (!made) this.#encoded.set(encoding, (made = compressors[encoding](this.#content)));
    return made;
  }
}

/**
 * The built pages: a shell that every URL of a page is answered with, and the files that it loads. No routes, since any path that nothing
 * else answers can be a page's.
 */
export class Pages {
  readonly #files: ReadonlyMap<string, PageFile>;

  private constructor(files: ReadonlyMap<string, PageFile>) {
    this.#files = files;
  }

  /**
   * Reads all files.
   * @param directory what the build of the pages made
   * @returns undefined where it made nothing
   */
  static async read(directory: string): Promise<Pages | undefined> {
    let names: string[];
    try {
      names = (await readdir(directory, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(directory.length));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    const files = await Promise.all(
      names.map(async (name): Promise<[string, PageFile]> => {
        const path = `/${name.split(sep).filter(Boolean).join('/')}`;
        return [path, new PageFile(path, await readFile(join(directory, name)))];
      }),
    );
    const found = new Map(files);
    return found.has(shell) ? new Pages(found) : undefined;
  }

  /**
   * Answers a request that no route of the API takes, where it is for a page or one of its files.
   * @returns false: it is for neither
   */
  answer(request: FastifyRequest, reply: FastifyReply): boolean {
    const file = this.#fileFor(request);
    if (!file) return false;
    void reply.headers({ ...headersOfAll, ETag: file.etag, 'Cache-Control': file.cacheControl });
    if (isKnown(file.etag, request.headers['if-none-match'])) {
      void reply.code(304).send();
      return true;
    }
    const encoding = file.encodingFor(String(request.headers['accept-encoding'] ?? ''));
    if (encoding !== 'identity') void reply.header('Content-Encoding', encoding);
    void reply.header('Content-Type', file.contentType);
    file.encoded(encoding).then(
      (content) => reply.send(content),
      (error: unknown) => reply.send(error),
    );
    return true;
  }

  #fileFor({ method, raw, headers }: FastifyRequest): PageFile | undefined {
    if (method !== 'GET' && method !== 'HEAD') return undefined;
    const path = raw.url?.replace(/\?.*$/s, '') ?? '/';
    const file = path === shell ? undefined : this.#files.get(path);
    return file ?? (isPage(path) && wantsHtml(headers.accept) ? this.#files.get(shell) : undefined);
  }
}

const shell = '/index.html';

/** The API, the gateway's own endpoints, and what git asks for keep their answers; a file that is gone is none, rather than a page. */
function isPage(path: string): boolean {
  return !/^\/+(?:api|-|assets)(?:\/|$)|\.git\//.test(path);
}

/** Browsers name it when somebody opens a URL; scripts and tools ask for anything. */
function wantsHtml(accept: string | undefined): boolean {
  return accept?.includes('text/html') ?? false;
}

function accepts(header: string, encoding: string): boolean {
  return header
    .split(',')
    .map((each) => each.split(';').map((part) => part.trim()))
    .some(([name, quality]) => name === encoding && !/^q=0(?:\.0*)?$/.test(quality ?? ''));
}

function isKnown(etag: string, header: string | undefined): boolean {
  const opaque = etag.slice('W/'.length);
  return header?.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === opaque) ?? false;
}
