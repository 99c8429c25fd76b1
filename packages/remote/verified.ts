import { BkError } from '@bk/core';
import type { Hasher } from './host.ts';
import type { Content } from './port.ts';

/**
 * Passes chunks on and counts and hashes them; at the end it throws unless they were exactly the content. Whoever writes
 * them must give the file its name only after the end. What is too long is not passed on.
 * @param hasher has seen what lies before `offset`
 * @throws BkError 'unreachable' if they are cut off, 'damaged' if they are too many or another content
 */
export async function* verifiedChunks(
  chunks: AsyncIterable<Uint8Array>,
  content: Content & { readonly offset: number },
  hasher: Hasher,
): AsyncGenerator<Uint8Array> {
  const { blake3, size } = content;
  let at = content.offset;
  for await (const chunk of chunks) {
    at += chunk.length;
    if (at > size)
      throw new BkError('damaged', `cannot take content ${blake3}: it is longer than ${size} bytes`);
    hasher.update(chunk);
    yield chunk;
  }
  if (at < size) {
    throw new BkError('unreachable', `cannot take content ${blake3}: it ended after ${at} of ${size} bytes`, {
      hint: 'give the same command again; it goes on where it was',
    });
  }
  if (hasher.digest() !== blake3)
    throw new BkError('damaged', `cannot take content ${blake3}: what came is another content`);
}
