import { type JsonObject, normalizeMedia } from '@bk/core';
import { readAiff } from './aiff.ts';
import { readAvi } from './avi.ts';
import { readCiff } from './ciff.ts';
import type { Reading } from './facts.ts';
import { readFlac } from './flac.ts';
import { readGif } from './gif.ts';
import { readJpeg } from './jpeg.ts';
import { readMatroska } from './matroska.ts';
import { readMpegAudio } from './mpeg-audio.ts';
import { readOgg } from './ogg.ts';
import type { Payload } from './payload.ts';
import { readPng } from './png.ts';
import { readBaseMedia } from './quicktime.ts';
import { readFujifilm, readMinolta } from './raw.ts';
import { readTiffImage } from './tiff-image.ts';
import { readWave } from './wave.ts';
import { readWebp } from './webp.ts';
import { type ByteSource, Unparsable, Window } from './window.ts';

/** What a record says of a content: `media` as it stands there, and the parts whose hash is `hashes.payload`. */
export interface MediaReading {
  readonly media: JsonObject;
  readonly payload?: Payload;
  /** Whom other programs say to be on it; no record has that by itself. */
  readonly people?: readonly string[];
}

/** Undefined: only the first bytes were like media. */
type Reader = (window: Window) => Reading | undefined;

/** Enough to know a format by. */
const HEAD = 64;

/**
 * The media facts of a content (SPEC 2.3), by its bytes alone: whatever its name, the time zone or the locale, the
 * answer is the same. Undefined: it is no media of the formats that bk reads. A file that begins as one and cannot be
 * read has only `error`. Reads the parts that it needs, forwards where it can.
 * @throws only what the source throws
 */
export function readMedia(source: ByteSource): MediaReading | undefined {
  const read = readerOf(source.read(0, Math.min(HEAD, source.size)), source.size);
  if (read === undefined) return undefined;
  const window = new Window(source);
  try {
    const reading = read(window);
    if (reading === undefined) return undefined;
    const { facts, payload } = reading;
    const { people } = facts;
    return { media: normalizeMedia(facts), ...(payload && { payload }), ...(people && { people }) };
  } catch (error) {
    if (window.failure !== undefined) throw window.failure;
    // A number that stands where no number fits is a RangeError of the buffer: the file is malformed.
    return { media: { error: error instanceof Unparsable ? error.reason : 'malformed' } };
  }
}

/** Whether a content begins as media does that bk reads. @param start its first bytes, 64 if there are so many */
export function beginsAsMedia(start: Uint8Array, size: number): boolean {
  return readerOf(start.subarray(0, HEAD), size) !== undefined;
}

function readerOf(start: Uint8Array, size: number): Reader | undefined {
  return mayBeMedia(start) ? readerFor(Buffer.from(start), size) : undefined;
}

/** Most small files are none, and there are many of them: this says so of nearly all at the price of a look. */
function mayBeMedia(start: Uint8Array): boolean {
  const isBox = start[4] === 0x6d && (start[5] === 0x6f || start[5] === 0x64);
  return isBox || FIRST_BYTES.has(start[0] ?? -1);
}

/** Of every format that readerFor knows; `moov` and `mdat` may begin with any length. */
const FIRST_BYTES: ReadonlySet<number> = new Set(Buffer.from('\0\x1a\x89\xffFGIMORf', 'latin1'));

function readerFor(head: Buffer, size: number): Reader | undefined {
  const text = head.toString('latin1');
  if (text.startsWith('\xff\xd8\xff')) return readJpeg;
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return readPng;
  if (/^GIF8[79]a/.test(text)) return readGif;
  if (/^RIFF....WEBP/s.test(text)) return readWebp;
  if (/^(?:II[\x2a\x2b\x55]\0|MM\0[\x2a\x2b]|IIR[OS]|MMOR)/.test(text)) return readTiffImage;
  if (text.startsWith('FUJIFILMCCD-RAW ')) return readFujifilm;
  if (text.startsWith('\0MRM')) return readMinolta;
  if (/^II....HEAPCCDR/s.test(text)) return readCiff;
  if (isBaseMedia(head, size)) return readBaseMedia;
  if (/^(?:RIFF|RF64)....WAVE/s.test(text)) return readWave;
  if (/^RIFF....AVI /s.test(text)) return readAvi;
  if (/^FORM....AIF[FC]/s.test(text)) return readAiff;
  if (text.startsWith('fLaC')) return readFlac;
  if (text.startsWith('OggS')) return readOgg;
  if (text.startsWith('\x1a\x45\xdf\xa3')) return readMatroska;
  if (text.startsWith('ID3') || /^\xff[\xe0-\xff]/.test(text)) return readMpegAudio;
  return undefined;
}

/** `ftyp` first, or a QuickTime file from before there was one; a text may have such letters there, but not such lengths. */
function isBaseMedia(head: Buffer, size: number): boolean {
  if (head.length < 8) return false;
  const type = head.toString('latin1', 4, 8);
  const length = head.readUInt32BE(0);
  if (type === 'ftyp') return length >= 16 && length < 1 << 16;
  if (type === 'wide') return length === 8;
  if (type === 'pnot') return length === 20;
  return (type === 'moov' || type === 'mdat') && (length <= 1 || (length >= 8 && length <= size));
}
