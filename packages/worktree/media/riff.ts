import { Unparsable, type Window } from './window.ts';

/** A chunk of a RIFF or AIFF file; `at` is where its body begins. */
export interface Chunk {
  readonly id: string;
  readonly at: number;
  readonly length: number;
}

const MOST_CHUNKS = 1_000_000;

/** Each chunk between two offsets; the last one may be cut off. Bodies are padded to an even length. */
export function* chunksOf(window: Window, from: number, end: number, isBig = false): Generator<Chunk> {
  const last = Math.min(end, window.size);
  for (let at = from, count = 0; at + 8 <= last; count++) {
    if (count > MOST_CHUNKS) throw new Unparsable('malformed');
    const head = window.bytes(at, 8);
    const length = isBig ? head.readUInt32BE(4) : head.readUInt32LE(4);
    yield { id: head.toString('latin1', 0, 4), at: at + 8, length };
    at += 8 + length + (length % 2);
  }
}
