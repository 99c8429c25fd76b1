import type { ContentHash } from '@bk/core';
import type { Content, MissingContent } from '../port.ts';
import { putU64, u64 } from './frame.ts';

/** What a stream of contents is made of: a byte that says what, then its fields. A record is never cut by a frame. */
export const RECORD = {
  /** [name] and all its bytes. */
  whole: 1,
  /** [name] u64 offset; chunks follow. */
  begin: 2,
  /** u32 length and so many bytes. */
  chunk: 3,
  /** No more chunks of it. */
  end: 4,
  /** u32 length and JSON of the error: it is not what it should be. */
  broken: 5,
  /** [name]: it cannot be had. */
  notFound: 6,
  damaged: 7,
  unreadable: 8,
  /** As `begin`, of a content with holes; only to who said `holes` in its greeting. */
  beginSparse: 9,
} as const;

export const REASON_RECORDS: Readonly<Record<MissingContent['missing'], number>> = {
  'not-found': RECORD.notFound,
  damaged: RECORD.damaged,
  unreadable: RECORD.unreadable,
};

export const RECORD_REASONS: Readonly<Record<number, MissingContent['missing']>> = {
  [RECORD.notFound]: 'not-found',
  [RECORD.damaged]: 'damaged',
  [RECORD.unreadable]: 'unreadable',
};

const HASH = 32;
/** BLAKE3 and u64 size. */
export const nameBytes = HASH + 8;

export function putName(target: Buffer, at: number, { blake3, size }: Content): void {
  target.write(blake3, at, HASH, 'hex');
  putU64(target, at + HASH, size);
}

export function nameAt(bytes: Buffer, at: number): Content {
  return { blake3: bytes.toString('hex', at, at + HASH) as ContentHash, size: u64(bytes, at + HASH) };
}
