import { type JsonObject, normalizeMedia } from '@bk/core';
import type { Reading } from './facts.ts';
import { readGif } from './gif.ts';
import { readJpeg } from './jpeg.ts';
import type { Payload } from './payload.ts';
import { readPng } from './png.ts';
import { readTiffImage } from './tiff-image.ts';
import { readWebp } from './webp.ts';
import { type ByteSource, Unparsable, Window } from './window.ts';

/** What a record says of a content: `media` as it stands there, and the parts whose hash is `hashes.payload`. */
export interface MediaReading {
  readonly media: JsonObject;
  readonly payload?: Payload;
}

type Reader = (window: Window) => Reading;

/** Enough to know a format by. */
const HEAD = 64;

/**
 * The media facts of a content (SPEC 2.3), by its bytes alone: whatever its name, the time zone or the locale, the
 * answer is the same. Undefined: it is no media of the formats that bk reads. A file that begins as one and cannot be
 * read has only `error`. Reads the parts that it needs, forwards where it can.
 * @throws only what the source throws
 */
export function readMedia(source: ByteSource): MediaReading | undefined {
  const window = new Window(source);
  const head = Buffer.from(window.upTo(0, HEAD));
  const read = readerFor(head);
  if (read === undefined) return undefined;
  try {
    const { facts, payload } = read(window);
    return { media: normalizeMedia(facts), ...(payload && { payload }) };
  } catch (error) {
    if (window.failure !== undefined) throw window.failure;
    // A number that stands where no number fits is a RangeError of the buffer: the file is malformed.
    return { media: { error: error instanceof Unparsable ? error.reason : 'malformed' } };
  }
}

function readerFor(head: Buffer): Reader | undefined {
  const text = head.toString('latin1');
  if (text.startsWith('\xff\xd8\xff')) return readJpeg;
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return readPng;
  if (/^GIF8[79]a/.test(text)) return readGif;
  if (/^RIFF....WEBP/s.test(text)) return readWebp;
  if (/^(?:II[\x2a\x2b\x55]\0|MM\0[\x2a\x2b]|IIR[OS]|MMOR)/.test(text)) return readTiffImage;
  return undefined;
}
