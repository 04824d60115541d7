import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto';

const cipher = 'aes-256-gcm';
const ivBytes = 12;
const tagBytes = 16;
/** First byte of everything sealed, so that another way of sealing can be told from this one. */
const version = 1;

/** A sealed value cannot be opened: another SECRET_KEY, a damaged row, or a value taken from another row. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken';

  constructor(readonly context: string) {
    super(`The sealed value of ${context} cannot be opened. Is SECRET_KEY the one it was stored under?`);
  }
}

/**
 * Keeps secrets in the database unreadable without SECRET_KEY (architecture.md §5.3): AES-256-GCM, bound to the place it is kept in, so
 * that a value copied to another row does not open there.
 */
export class Sealing {
  readonly #key: KeyObject;

  /** @param secretKey SECRET_KEY, at least 32 random characters */
  constructor(secretKey: string) {
    const bytes = hkdfSync('sha256', secretKey, 'flagfall', 'values kept by the pipeline service', 32);
    this.#key = createSecretKey(Buffer.from(bytes));
  }

  /** @param context names the place, such as `variable KEY of project 7`; the same is needed to open it */
  seal(text: string, context: string): string {
    const iv = randomBytes(ivBytes);
    const sealing = createCipheriv(cipher, this.#key, iv).setAAD(Buffer.from(context));
    const body = Buffer.concat([sealing.update(text, 'utf8'), sealing.final()]);
    return Buffer.concat([Buffer.of(version), iv, sealing.getAuthTag(), body]).toString('base64');
  }

  /** @throws SealBroken */
  open(sealed: string, context: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    const body = 1 + ivBytes + tagBytes;
    try {
      if (bytes[0] !== version) throw new Error('unknown version');
      const opening = createDecipheriv(cipher, this.#key, bytes.subarray(1, 1 + ivBytes), { authTagLength: tagBytes });
      opening.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(1 + ivBytes, body));
      return opening.update(bytes.subarray(body), undefined, 'utf8') + opening.final('utf8');
    } catch {
      throw new SealBroken(context);
    }
  }
}

/** The place of a project variable's value. */
export const variableSeal = (projectId: number, key: string): string => `variable ${key} of project ${projectId}`;

/** The place of the user and password for a project's repository. */
export const importSeal = (projectId: number): string => `the import credentials of project ${projectId}`;
