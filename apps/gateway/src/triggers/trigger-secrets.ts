import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import type { TriggerFacts } from '#libs/contracts';
import { hashSecret, newSecret, visibleCharacters } from '../access/secrets.js';
import type { GatewayConfig } from '../config.js';

const cipher = 'aes-256-gcm';
const ivBytes = 12;
const tagBytes = 16;
/** First byte of everything sealed, so that another way of sealing can be told from this one. */
const version = 1;

/** A token that was just made, and what of it leaves the gateway. */
export interface NewTriggerToken {
  token: string;
  tokenHash: string;
  shortToken: string;
  sealedToken: string | null;
}

/**
 * Makes trigger tokens and decides who sees how much of them (architecture.md §4, TRIGGER_TOKENS). With `once` nothing of a token is kept but
 * its hash and four characters. With `retrievable` the token service keeps it sealed under SECRET_KEY, which only the gateway has:
 * AES-256-GCM, bound to the project, so that a text copied to another project's row does not open there.
 */
export class TriggerSecrets {
  readonly #key: KeyObject | undefined;

  constructor({ triggerTokens, secretKey }: Pick<GatewayConfig, 'triggerTokens' | 'secretKey'>) {
    if (triggerTokens === 'once' || !secretKey) return;
    this.#key = createSecretKey(Buffer.from(hkdfSync('sha256', secretKey, 'flagfall', 'trigger tokens', 32)));
  }

  make(projectId: number): NewTriggerToken {
    const token = newSecret('glptt');
    return {
      token,
      tokenHash: hashSecret(token).toString('hex'),
      shortToken: visibleCharacters(token),
      sealedToken: this.#key ? seal(token, projectId, this.#key) : null,
    };
  }

  /** What to show of a token: all of it where the service handed it out for this viewer and it opens, else four characters. */
  shown({
    projectId,
    shortToken,
    sealedToken,
  }: Pick<TriggerFacts, 'projectId' | 'shortToken' | 'sealedToken'>): string {
    return (this.#key && sealedToken && open(sealedToken, projectId, this.#key)) || shortToken;
  }
}

function seal(token: string, projectId: number, key: KeyObject): string {
  const iv = randomBytes(ivBytes);
  const sealing = createCipheriv(cipher, key, iv).setAAD(place(projectId));
  const body = Buffer.concat([sealing.update(token, 'utf8'), sealing.final()]);
  return Buffer.concat([Buffer.of(version), iv, sealing.getAuthTag(), body]).toString('base64');
}

/** @returns undefined for what another SECRET_KEY sealed: the token still works, it can only not be shown again */
function open(sealed: string, projectId: number, key: KeyObject): string | undefined {
  const bytes = Buffer.from(sealed, 'base64');
  const body = 1 + ivBytes + tagBytes;
  if (bytes[0] !== version || bytes.length < body) return undefined;
  try {
    const opening = createDecipheriv(cipher, key, bytes.subarray(1, 1 + ivBytes), { authTagLength: tagBytes })
      .setAAD(place(projectId))
      .setAuthTag(bytes.subarray(1 + ivBytes, body));
    return opening.update(bytes.subarray(body), undefined, 'utf8') + opening.final('utf8');
  } catch {
    return undefined;
  }
}

function place(projectId: number): Buffer {
  return Buffer.from(`a trigger token of project ${projectId}`);
}
