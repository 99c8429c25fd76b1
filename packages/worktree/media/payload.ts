import type { ContentHash } from '@bk/core';
import { createHasher, hashBytes } from '../hash.ts';
import { type ByteSource, Unparsable } from './window.ts';

export interface Span {
  readonly offset: number;
  readonly length: number;
}

/**
 * The parts of a file that are its pixels or its sound, in the order in which they are hashed; one list for each track.
 * Of one list the payload hash is the BLAKE3 of its bytes, one after the other; of several the BLAKE3 of the tracks'
 * hashes (32 bytes each), so that tracks that lie interleaved can be hashed in one pass over the file.
 */
export type Payload = readonly (readonly Span[])[];

const MOST_SPANS = 4_000_000;

/** Parts of a file as they are found; those that touch become one. */
export class Spans {
  readonly #spans: { offset: number; length: number }[] = [];

  add(offset: number, length: number): void {
    if (length <= 0) return;
    const last = this.#spans.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else if (this.#spans.length < MOST_SPANS) this.#spans.push({ offset, length });
    else throw new Unparsable('malformed');
  }

  get list(): readonly Span[] {
    return this.#spans;
  }
}

/** The payload if all of it lies in the file and there is any; tracks without bytes are left out. */
export function wholePayload(tracks: Payload, size: number): Payload | undefined {
  const filled = tracks.filter((spans) => spans.some(({ length }) => length > 0));
  const isWhole = filled.every((spans) =>
    spans.every(({ offset, length }) => offset >= 0 && offset + length <= size),
  );
  return isWhole && filled.length > 0 ? filled : undefined;
}

/** Whether each track's parts follow one another in the file, so that one pass over it sees them in their order. */
export function isSequential(payload: Payload): boolean {
  return payload.every((spans) =>
    spans.every((span, i) => {
      const before = spans[i - 1];
      return before === undefined || before.offset + before.length <= span.offset;
    }),
  );
}

const READ = 1 << 20;

/** Reads the payload's parts in their order. @throws what the source throws */
export function hashPayload(source: ByteSource, payload: Payload): ContentHash {
  return combine(payload.map((spans) => hashSpans(source, spans)));
}

function hashSpans(source: ByteSource, spans: readonly Span[]): ContentHash {
  const hasher = createHasher();
  for (const { offset, length } of spans) {
    for (let done = 0; done < length; ) {
      const read = source.read(offset + done, Math.min(READ, length - done));
      if (read.length === 0) break;
      hasher.update(read);
      done += read.length;
    }
  }
  return hasher.digest();
}

/**
 * The payload's hash of a file that is read anyway, from its start to its end: the same as hashPayload's.
 * @param payload one that isSequential
 */
export function createPayloadHasher(payload: Payload): {
  update(bytes: Uint8Array): void;
  digest(): ContentHash;
} {
  const tracks = payload.map((spans) => ({ spans, next: 0, hasher: createHasher() }));
  let at = 0;
  return {
    update: (bytes) => {
      for (const track of tracks) {
        for (; track.next < track.spans.length; track.next++) {
          const { offset, length } = track.spans[track.next] as Span;
          const part = bytes.subarray(Math.max(0, offset - at), Math.max(0, offset + length - at));
          if (part.length > 0) track.hasher.update(part);
          if (offset + length > at + bytes.length) break;
        }
      }
      at += bytes.length;
    },
    digest: () => combine(tracks.map(({ hasher }) => hasher.digest())),
  };
}

function combine(hashes: readonly ContentHash[]): ContentHash {
  const [only] = hashes;
  return only !== undefined && hashes.length === 1 ? only : hashBytes(Buffer.from(hashes.join(''), 'hex'));
}
