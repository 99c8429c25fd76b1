import type { MediaFacts } from '@bk/core';
import { type Exif, exifBlock } from './exif.ts';
import { firstKnown, type Reading } from './facts.ts';
import { Spans, wholePayload } from './payload.ts';
import { type Chunk, chunksOf } from './riff.ts';
import { Unparsable, type Window } from './window.ts';
import { xmpBlock } from './xmp.ts';

interface Found {
  width?: number;
  height?: number;
  /** Milliseconds. */
  duration: number;
  exif?: Exif | undefined;
  xmp?: MediaFacts | undefined;
  readonly pixels: Spans;
}

const PIXELS: ReadonlySet<string> = new Set(['VP8 ', 'VP8L', 'ALPH', 'ANMF']);

/** WebP: RIFF chunks. VP8X is no pixels: its flags tell which tags are there. */
export function readWebp(window: Window): Reading {
  const end = 8 + window.bytes(4, 4).readUInt32LE();
  if (end > window.size) throw new Unparsable('truncated');
  const found: Found = { duration: 0, pixels: new Spans() };
  for (const chunk of chunksOf(window, 12, end)) readChunk(window, chunk, found);
  if (found.width === undefined) throw new Unparsable('malformed');
  const facts: MediaFacts = {
    kind: 'image',
    mime: 'image/webp',
    width: found.width,
    height: found.height,
    duration: found.duration > 0 ? found.duration / 1000 : undefined,
  };
  return {
    facts: firstKnown(facts, found.exif?.facts, found.xmp, found.exif?.texts),
    payload: wholePayload([found.pixels.list], window.size),
  };
}

function readChunk(window: Window, { id, at, length }: Chunk, found: Found): void {
  if (PIXELS.has(id)) found.pixels.add(at, length);
  if (id === 'EXIF') found.exif ??= exifBlock(window.copy(at, length));
  else if (id === 'XMP ') found.xmp ??= xmpBlock(window.copy(at, length));
  else if (id === 'ANMF') found.duration += window.bytes(at + 12, 3).readUIntLE(0, 3);
  else if (id === 'VP8X')
    setSize(
      found,
      1 + window.bytes(at + 4, 3).readUIntLE(0, 3),
      1 + window.bytes(at + 7, 3).readUIntLE(0, 3),
    );
  else if (id === 'VP8L') {
    const bits = window.bytes(at + 1, 4).readUInt32LE();
    setSize(found, 1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff));
  } else if (id === 'VP8 ') {
    const size = window.bytes(at + 6, 4);
    setSize(found, size.readUInt16LE(0) & 0x3fff, size.readUInt16LE(2) & 0x3fff);
  }
}

/** The canvas, where there is one, stands first. */
function setSize(found: Found, width: number, height: number): void {
  if (found.width !== undefined) return;
  found.width = width;
  found.height = height;
}
