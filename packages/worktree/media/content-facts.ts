import fs from 'node:fs';
import type { ContentFacts, ContentHash } from '@bk/core';
import { createHasher, hashBytes } from '../hash.ts';
import { createPayloadHasher, hashPayload, isSequential } from './payload.ts';
import { beginsAsMedia, readMedia } from './read.ts';
import { descriptorSource } from './source.ts';
import { bytesSource } from './window.ts';

/** A content, read once: its hash, how many bytes that was, and what it says of itself if it is media. */
export interface ContentRead {
  readonly hash: ContentHash;
  readonly size: number;
  readonly facts?: ContentFacts;
}

const CHUNK = 1 << 20;
/** Up to here a picture or a recording is held as a whole; of a larger one its tables are read, then all of it in one pass. */
const WHOLE = 32 << 20;
/** What small contents are read into; kept, so that there is not one for each file. */
let buffer = Buffer.alloc(0);

/**
 * As hashDescriptor, and the media facts of what begins as media.
 * @param expected the size that the caller will check afterwards
 */
export function readContent(fd: number, expected: number, onBytes?: (bytes: number) => void): ContentRead {
  const start = fill(fd, { from: 0, to: Math.min(expected + 1, CHUNK), expected }, onBytes);
  const isMedia = beginsAsMedia(buffer.subarray(0, start), expected);
  const isAll = start <= expected && start < CHUNK;
  if (!isMedia && isAll) return { hash: hashBytes(buffer.subarray(0, start)), size: start };
  if (!isMedia || expected > WHOLE) return readInPasses(fd, { start, expected, isMedia }, onBytes);
  if (!isAll) onBytes?.(start);
  const size = isAll ? start : fill(fd, { from: start, to: expected + 1, expected }, onBytes);
  const bytes = buffer.subarray(0, size);
  const hash = hashBytes(bytes);
  // Its size is not the one that was seen: the hash will not count either.
  if (size !== expected) return { hash, size };
  const source = bytesSource(bytes);
  const reading = readMedia(source);
  if (reading === undefined) return { hash, size };
  const { media, payload } = reading;
  return { hash, size, facts: { media, ...(payload && { payload: hashPayload(source, payload) }) } };
}

/** Whether an open file begins as media. */
export function beginsSo(fd: number, size: number): boolean {
  const start = Buffer.alloc(64);
  return beginsAsMedia(start.subarray(0, fs.readSync(fd, start, 0, 64, 0)), size);
}

/** Reads into the buffer at the same places; what is as long as expected is not asked for more. @returns up to where there are bytes */
function fill(
  fd: number,
  { from, to, expected }: { readonly from: number; readonly to: number; readonly expected: number },
  onBytes?: (bytes: number) => void,
): number {
  if (buffer.length < to) {
    const larger = Buffer.allocUnsafeSlow(Math.max(to, CHUNK));
    buffer.copy(larger, 0, 0, from);
    buffer = larger;
  }
  let at = from;
  while (at < to && at !== expected) {
    const read = fs.readSync(fd, buffer, at, Math.min(CHUNK, to - at), at);
    if (read === 0) break;
    at += read;
    // A small file is told of when it is done.
    if (to > CHUNK) onBytes?.(read);
  }
  return at;
}

/** What is too large to be held: the first bytes are in the buffer. */
function readInPasses(
  fd: number,
  {
    start,
    expected,
    isMedia,
  }: { readonly start: number; readonly expected: number; readonly isMedia: boolean },
  onBytes?: (bytes: number) => void,
): ContentRead {
  const reading = isMedia ? readMedia(descriptorSource(fd, expected)) : undefined;
  const payload = reading?.payload;
  const alongside = payload !== undefined && isSequential(payload) ? createPayloadHasher(payload) : undefined;
  const hasher = createHasher();
  let read = start;
  for (let size = 0; ; read = fs.readSync(fd, buffer, 0, CHUNK, size)) {
    if (read === 0 || size > expected) {
      const hash = hasher.digest();
      if (reading === undefined || size !== expected) return { hash, size };
      const part = alongside?.digest() ?? (payload && hashPayload(descriptorSource(fd, expected), payload));
      return { hash, size, facts: { media: reading.media, ...(part && { payload: part }) } };
    }
    const bytes = buffer.subarray(0, read);
    hasher.update(bytes);
    alongside?.update(bytes);
    size += read;
    onBytes?.(read);
  }
}
