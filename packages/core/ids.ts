import { BkError } from './error.ts';

declare const brand: unique symbol;
type Branded<T extends string> = string & { readonly [brand]: T };

/** BLAKE3-256 of a content (of a symlink: of its target's bytes): 64 lower-case hex digits. */
export type ContentHash = Branded<'ContentHash'>;
/** Id of a file, folder or entity for its whole life: UUIDv7, lower case, so that the smaller is the older. */
export type ObjectId = Branded<'ObjectId'>;
/** Name of a git object (blob, tree or commit) of the history: 40 lower-case hex digits. */
export type GitId = Branded<'GitId'>;

const HASH = /^[0-9a-f]{64}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const GIT = /^[0-9a-f]{40}$/;

export function contentHash(text: string): ContentHash {
  if (!HASH.test(text)) throw new BkError('damaged', `not a content hash: ${shown(text)}`);
  return text as ContentHash;
}

export function objectId(text: string): ObjectId {
  if (!UUID.test(text)) throw new BkError('damaged', `not an object id: ${shown(text)}`);
  return text as ObjectId;
}

export function gitId(text: string): GitId {
  if (!GIT.test(text)) throw new BkError('damaged', `not a git object name: ${shown(text)}`);
  return text as GitId;
}

/**
 * UUIDv7 (RFC 9562) from a time in ms since 1970 and 10 random bytes. Pure: clock and randomness come in.
 * @param random at least `offset + 10` bytes
 */
export function newObjectId(timeMs: number, random: Uint8Array, offset = 0): ObjectId {
  let hex = Math.floor(timeMs).toString(16).padStart(12, '0').slice(-12);
  for (let i = 0; i < 10; i++) {
    let byte = random[offset + i] ?? 0;
    if (i === 0) byte = (byte & 0x0f) | 0x70;
    if (i === 2) byte = (byte & 0x3f) | 0x80;
    hex += HEX[byte];
  }
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as ObjectId;
}

/** Of what should be an id, and may be anything of any length. */
function shown(text: string): string {
  const plain = text.slice(0, SHOWN).replace(/[^ -~]/g, '?');
  return text.length > SHOWN ? `${plain}…` : plain;
}

const SHOWN = 80;
const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
