import { type MediaFacts, normalizeMedia } from '@bk/core';
import { expect } from 'vitest';
import type { Random } from '../../fixtures/random.ts';
import { type MediaReading, readMedia } from '../../packages/worktree/media/read.ts';
import { bytesSource } from '../../packages/worktree/media/window.ts';

/** How often a reader may come to a source of so many bytes; a loop that does not get on would come for ever. */
export function readWithin(bytes: Buffer): MediaReading | undefined {
  const source = bytesSource(bytes);
  let reads = 0;
  return readMedia({
    size: source.size,
    read: (offset, length) => {
      if (offset + length > bytes.length) throw new Error('reads past the end');
      if (++reads > 1000 + bytes.length) throw new Error('reads without end');
      return source.read(offset, length);
    },
  });
}

/** What every answer must be, whatever the bytes. */
export function outcomeOf(reading: MediaReading | undefined, size: number, where: string): string {
  if (reading === undefined) return 'nothing';
  const { media, payload } = reading;
  expect(normalizeMedia(media as MediaFacts), where).toEqual(media);
  const spans = payload?.flat() ?? [];
  expect(
    spans.filter(({ offset, length }) => !(offset >= 0 && length > 0 && offset + length <= size)),
    where,
  ).toEqual([]);
  if (media['error'] === undefined) return 'facts';
  expect(Object.keys(media), where).toEqual(['error']);
  expect(payload, where).toBeUndefined();
  return media['error'] as string;
}

/** Most damage goes to the first and the last part, where formats keep what they are made of. */
export function damaged(whole: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(whole);
  const near = Math.min(bytes.length, 2000);
  const where = (): number =>
    random.pick([0, bytes.length - near, random.below(bytes.length - near + 1)]) + random.below(near);
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = where();
    const kind = random.below(5);
    if (kind === 0) bytes[at] = random.below(256);
    else if (kind === 1) bytes.fill(random.pick([0, 0xff, 0x7f]), at, Math.min(at + 4, bytes.length));
    else if (kind === 2) bytes.writeUInt32BE(random.below(1 << 16), Math.min(at, bytes.length - 4));
    else if (kind === 3) bytes.copyWithin(at, where(), where());
    else bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  }
  return random.below(4) === 0 ? bytes.subarray(0, where()) : bytes;
}
