import type { Content, MissingContent, Peer, SentContent, WantedContent } from '@bk/remote';
import { LIMITS } from '@bk/remote';
import { expect } from 'vitest';

export interface Seen extends Content {
  readonly offset?: number;
  readonly bytes?: Buffer;
  readonly missing?: MissingContent['missing'];
}

export async function readAll(peer: Peer, wanted: readonly WantedContent[]): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const sent of peer.readContents(wanted)) {
    if ('missing' in sent) seen.push(sent);
    else
      seen.push({
        blake3: sent.blake3,
        size: sent.size,
        offset: sent.offset,
        bytes: await collect(sent.chunks),
      });
  }
  return seen;
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) {
    expect(chunk.length).toBeLessThanOrEqual(LIMITS.chunk);
    parts.push(Buffer.from(chunk));
  }
  return Buffer.concat(parts);
}

export async function* flow<T>(all: Iterable<T>): AsyncGenerator<T> {
  yield* all;
}

export function one(content: SentContent): AsyncIterable<SentContent> {
  return flow([content]);
}
