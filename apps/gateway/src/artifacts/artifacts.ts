import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import {
  AddArtifact,
  type ArtifactFormat,
  type ArtifactType,
  nothingHere,
  Refusal,
  refusedRequest,
  type StoredArtifact,
} from '#libs/contracts';
import { hashSecret } from '../access/secrets.js';
import { GatewayConfig } from '../config.js';
import { Services } from '../services.js';
import { ArtifactFiles, type StoredBytes } from '../storage/artifact-files.js';
import { NotStored } from '../storage/storage.js';
import { openArchiveEntry } from './archive-entry.js';
import { dotenvLimit, parseDotenv } from './dotenv.js';
import { receiveFile } from './receive-file.js';

/** What an upload says of itself (runner-api.md §5.2). */
export interface Upload {
  jobId: number;
  token: string;
  type: ArtifactType;
  format: ArtifactFormat;
  expireIn?: string | null;
  contentType: string;
}

/** Artifacts on their way in and out. The bytes are here, the records with the pipeline service. */
@Injectable()
export class Artifacts {
  constructor(
    private readonly files: ArtifactFiles,
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  /**
   * Stores an artifact: the bytes first, then the record of them, without which nobody finds them.
   * @throws Refusal 400 for what is no form, no dotenv report or another artifact of the same type; 403 when the job does not run; 413 when it is too large
   */
  async receive(upload: Upload, body: Readable): Promise<void> {
    const { filename, stored } = await receiveFile(body, upload.contentType, (content) =>
      this.files.write(content, this.config.artifactLimit),
    );
    // Nobody speaks of them yet. Where it stays unknown whether they were recorded, they stay too: the sweep sees to what was not.
    let orphaned = true;
    try {
      const { kept } = await this.services.ask(AddArtifact, {
        jobId: upload.jobId,
        tokenHash: hashSecret(upload.token).toString('hex'),
        type: upload.type,
        format: upload.format,
        filename,
        size: stored.size,
        sha256: stored.sha256,
        storageKey: stored.key,
        expireIn: upload.expireIn,
        ...(upload.type === 'dotenv' && { variables: await this.#variables(upload, stored) }),
      });
      orphaned = !kept;
    } catch (error) {
      orphaned = error instanceof Refusal;
      throw error;
    } finally {
      if (orphaned) await this.files.delete(stored.key);
    }
  }

  /**
   * Sends an archive as it was stored.
   * @throws Refusal 404 when there is none
   */
  async send(found: StoredArtifact | null, reply: FastifyReply): Promise<void> {
    if (!found) throw nothingHere();
    const content = await this.#open(found.storageKey);
    void reply
      .type('application/octet-stream')
      .header('Content-Length', found.size)
      .header('Content-Disposition', `attachment; filename="${found.filename}"`);
    await reply.send(content);
  }

  /**
   * Sends whoever can follow to where an archive lies, and the archive itself where that is here.
   * @throws Refusal 404 when there is none
   */
  async redirect(found: StoredArtifact | null, reply: FastifyReply): Promise<void> {
    if (!found) throw nothingHere();
    const address = await this.files.address(found.storageKey, found.filename);
    if (address === null) return this.send(found, reply);
    // It opens the archive for everybody.
    await reply.header('Cache-Control', 'no-store').redirect(address, 302);
  }

  /**
   * Sends one file out of an archive.
   * @throws Refusal 404 when there is no archive or no such file in it
   */
  async sendFile(found: StoredArtifact | null, name: string, reply: FastifyReply): Promise<void> {
    if (found?.format !== 'zip') throw nothingHere();
    const { storageKey } = found;
    const size = await this.files.size(storageKey);
    if (size === null) throw nothingHere();
    const entry = await openArchiveEntry((start, end) => this.files.read(storageKey, start, end), size, name);
    if (!entry) throw nothingHere();
    // Whatever a job packed, no browser is to take it for a page of ours.
    void reply
      .type('application/octet-stream')
      .header('Content-Length', entry.size)
      .header(
        'Content-Disposition',
        `attachment; filename="${name.replace(/^.*\//s, '').replace(/[^\x20-\x7e]|["\\]/g, '_')}"`,
      );
    await reply.send(entry.content);
  }

  /** A record does not promise that the bytes are there. */
  async #open(key: string): Promise<Readable> {
    try {
      return await this.files.read(key);
    } catch (error) {
      throw error instanceof NotStored ? nothingHere() : error;
    }
  }

  async #variables({ format }: Upload, { key, size }: StoredBytes): Promise<{ key: string; value: string }[]> {
    const tooLarge = () => refusedRequest(`The dotenv report is larger than ${dotenvLimit} bytes`);
    if (size > dotenvLimit) throw tooLarge();
    const bytes = await buffer(await this.files.read(key));
    const text = format === 'gzip' ? await unpacked(bytes) : bytes;
    if (text.length > dotenvLimit) throw tooLarge();
    return parseDotenv(text.toString());
  }
}

const unzip = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);

async function unpacked(bytes: Buffer): Promise<Buffer> {
  try {
    // One more than is allowed, so that too much is told from broken.
    return await unzip(bytes, { maxOutputLength: dotenvLimit + 1 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw refusedRequest(`The dotenv report is larger than ${dotenvLimit} bytes`);
    throw refusedRequest('The dotenv report is not packed with gzip');
  }
}
