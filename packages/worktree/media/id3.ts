import { inflateSync } from 'node:zlib';
import type { MediaFacts } from '@bk/core';
import { firstKnown } from './facts.ts';
import { genreName, genresOf } from './genres.ts';
import {
  latinText,
  markedUtf16Text,
  nonEmpty,
  nonEmptyList,
  numbered,
  plainText,
  utf16Text,
  yearOf,
} from './text.ts';
import { attempt, type Window } from './window.ts';

/** An ID3v2 tag at the begin of a file or block: its length with header (and footer), and what it says. */
export interface Id3 {
  readonly length: number;
  readonly facts: MediaFacts;
}

type Frames = ReadonlyMap<string, readonly Buffer[]>;

const HEADER = 10;
const LONGEST_FRAME = 256 << 10;
const LONGEST_UNSYNCHRONISED = 16 << 20;
const MOST_FRAMES = 10_000;
/** Of all frames that are kept; some unpack to a thousand times their length. */
const MOST_BYTES = 4 << 20;

export function readId3(window: Window, at = 0): Id3 | undefined {
  if (at + HEADER > window.size) return undefined;
  const head = window.copy(at, HEADER);
  const [major, flags] = [head[3] as number, head[5] as number];
  if (head.toString('latin1', 0, 3) !== 'ID3' || major < 2 || major > 4) return undefined;
  const body = syncSafe(head, 6);
  const length = HEADER + body + (major === 4 && (flags & 0x10) !== 0 ? HEADER : 0);
  const frames = attempt(window, () => readFrames(window, { at: at + HEADER, length: body, major, flags }));
  return { length, facts: frames === undefined ? {} : factsOf(frames) };
}

interface Tag {
  readonly at: number;
  readonly length: number;
  readonly major: number;
  readonly flags: number;
}

function readFrames(window: Window, tag: Tag): Frames {
  const isWhole = (tag.flags & 0x80) !== 0 && tag.major < 4;
  const end = Math.min(tag.at + tag.length, window.size);
  if (!isWhole) return framesOf(window, tag, end);
  const bytes = resynchronised(window.copy(tag.at, Math.min(LONGEST_UNSYNCHRONISED, end - tag.at)));
  return framesOf(memory(bytes), { ...tag, at: 0 }, bytes.length);
}

/** Only what framesOf needs of a window. */
type Readable = Pick<Window, 'bytes' | 'copy'>;

function memory(bytes: Buffer): Readable {
  const part = (offset: number, length: number): Buffer => bytes.subarray(offset, offset + length);
  return { bytes: part, copy: part };
}

function framesOf(window: Readable, { at: from, major, flags }: Tag, end: number): Frames {
  const [nameLength, header] = major === 2 ? [3, 6] : [4, 10];
  const found = new Map<string, Buffer[]>();
  let at = from;
  let kept = 0;
  if (major > 2 && (flags & 0x40) !== 0) {
    const size = window.bytes(at, 4);
    at += major === 4 ? syncSafe(size, 0) : 4 + size.readUInt32BE();
  }
  for (let count = 0; at + header <= end && count < MOST_FRAMES; count++) {
    const head = Buffer.from(window.bytes(at, header));
    const name = head.toString('latin1', 0, nameLength);
    if (!/^[A-Z0-9]+$/.test(name)) break;
    const length = frameLength(head, major);
    at += header;
    if (at + length > end) break;
    if (length > 0 && length <= LONGEST_FRAME && kept < MOST_BYTES) {
      const body = frameBody(window.copy(at, length), major, major === 2 ? 0 : head.readUInt16BE(8));
      kept += Math.max(length, body?.length ?? 0);
      if (body !== undefined) found.set(name, [...(found.get(name) ?? []), body]);
    }
    at += length;
  }
  return found;
}

/** Version 4 says lengths in bytes of seven bits; iTunes wrote plain ones, known by a high bit. */
function frameLength(head: Buffer, major: number): number {
  if (major === 2) return head.readUIntBE(3, 3);
  const isSafe = major === 4 && (head.readUInt32BE(4) & 0x80808080) === 0;
  return isSafe ? syncSafe(head, 4) : head.readUInt32BE(4);
}

/** Undone: compression and unsynchronisation. Encrypted: undefined. */
function frameBody(bytes: Buffer, major: number, flags: number): Buffer | undefined {
  if (major === 2) return bytes;
  const [packed, encrypted, grouped, unsynchronised, measured] =
    major === 3 ? [0x80, 0x40, 0x20, 0, 0] : [0x08, 0x04, 0x40, 0x02, 0x01];
  if ((flags & encrypted) !== 0) return undefined;
  const isPacked = (flags & packed) !== 0;
  const skipped =
    ((flags & grouped) !== 0 ? 1 : 0) + ((flags & measured) !== 0 || (major === 3 && isPacked) ? 4 : 0);
  const rest = bytes.subarray(skipped);
  const body = (flags & unsynchronised) !== 0 ? resynchronised(rest) : rest;
  return isPacked ? inflated(body) : body;
}

function inflated(packed: Buffer): Buffer | undefined {
  try {
    return inflateSync(packed, { maxOutputLength: LONGEST_FRAME });
  } catch {
    return undefined;
  }
}

/** A zero after 0xff was put there so that no decoder takes it for sound. */
function resynchronised(bytes: Buffer): Buffer {
  const out = Buffer.alloc(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    out[length++] = bytes[i] as number;
    if (bytes[i] === 0xff && bytes[i + 1] === 0) i++;
  }
  return out.subarray(0, length);
}

function syncSafe(bytes: Buffer, at: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value = (value << 7) | ((bytes[at + i] ?? 0) & 0x7f);
  return value;
}

/** Names of version 2, by those of versions 3 and 4. */
const SHORT: Readonly<Record<string, string>> = {
  TIT2: 'TT2',
  TPE1: 'TP1',
  TPE2: 'TP2',
  TALB: 'TAL',
  TCOM: 'TCM',
  TCON: 'TCO',
  TRCK: 'TRK',
  TPOS: 'TPA',
  TYER: 'TYE',
  TDAT: 'TDA',
  TCOP: 'TCR',
  TSSE: 'TSS',
  TXXX: 'TXX',
  UFID: 'UFI',
  POPM: 'POP',
};

function factsOf(frames: Frames): MediaFacts {
  const bodies = (name: string): readonly Buffer[] => frames.get(name) ?? frames.get(SHORT[name] ?? '') ?? [];
  const texts = (name: string): readonly string[] | undefined => nonEmptyList(bodies(name).flatMap(strings));
  const text = (name: string): string | undefined => texts(name)?.[0];
  const own = new Map(
    bodies('TXXX')
      .map((body) => strings(body))
      .map(([name = '', ...rest]) => [name.toLowerCase(), rest[0]]),
  );
  const date = text('TDRC') ?? dayOf(text('TYER'), text('TDAT')) ?? text('TDRL');
  return {
    title: text('TIT2'),
    artist: texts('TPE1'),
    albumArtist: text('TPE2') ?? nonEmpty(own.get('albumartist') ?? own.get('album artist')),
    album: text('TALB'),
    composer: texts('TCOM'),
    genre: nonEmptyList(texts('TCON')?.flatMap(genresOf)),
    track: numbered(text('TRCK')),
    disc: numbered(text('TPOS')),
    date,
    year: yearOf(date),
    rights: text('TCOP'),
    software: text('TSSE'),
    rating: stars(bodies('POPM')[0]),
    musicbrainz: {
      recordingId: owned(bodies('UFID'), 'http://musicbrainz.org'),
      trackId: nonEmpty(own.get('musicbrainz release track id')),
      albumId: nonEmpty(own.get('musicbrainz album id')),
      artistId: nonEmpty(own.get('musicbrainz artist id')),
    },
  };
}

/** Before version 4 the day (DDMM) had a frame of its own. */
function dayOf(year: string | undefined, day: string | undefined): string | undefined {
  const found = /^(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2])$/.exec(day ?? '');
  return found === null || !/^\d{4}$/.test(year ?? '') ? year : `${year}-${found[2]}-${found[1]}`;
}

/** The texts of a frame, which begins with their encoding; version 4 parts them by NUL. */
function strings(body: Buffer): readonly string[] {
  const [encoding] = body;
  const rest = body.subarray(1);
  if (encoding === 1) return parts(markedUtf16Text(rest, true));
  if (encoding === 2) return parts(utf16Text(rest, false));
  return parts(encoding === 3 ? rest.toString('utf8') : plainText(rest));
}

/** Each text may begin with a byte order mark of its own. */
function parts(text: string): readonly string[] {
  return text.split('\0').map((part) => part.replace(/^\ufeff/, ''));
}

function owned(bodies: readonly Buffer[], owner: string): string | undefined {
  const body = bodies.find((one) => one.toString('latin1', 0, owner.length + 1) === `${owner}\0`);
  return nonEmpty(body?.toString('latin1', owner.length + 1));
}

/** As Windows and most players count: 1, 64, 128, 196 and 255 are one to five stars; 0 is unknown. */
function stars(body: Buffer | undefined): number | undefined {
  const at = body === undefined ? -1 : body.indexOf(0);
  const value = at < 0 ? 0 : (body?.[at + 1] ?? 0);
  return value === 0 ? undefined : 1 + [32, 96, 160, 224].filter((limit) => value >= limit).length;
}

/** What stands at the end of a file: ID3v1, Lyrics3, APE; all of them are tags. */
export function readTail(
  window: Window,
  from: number,
): { readonly start: number; readonly facts: MediaFacts } {
  let start = window.size;
  const found: MediaFacts[] = [];
  for (let i = 0; i < 8; i++) {
    const tag = id3v1(window, start, from) ?? lyrics3(window, start, from) ?? ape(window, start, from);
    if (tag === undefined) break;
    start -= tag.length;
    found.push(tag.facts);
  }
  // APE holds more than ID3v1 can.
  return { start, facts: firstKnown(...found.reverse()) };
}

function id3v1(window: Window, end: number, from: number): Id3 | undefined {
  if (end - 128 < from) return undefined;
  const bytes = window.copy(end - 128, 128);
  if (bytes.toString('latin1', 0, 3) !== 'TAG') return undefined;
  const text = (at: number, length: number): string | undefined => {
    const [first = ''] = latinText(bytes.subarray(at, at + length)).split('\0');
    return nonEmpty(first);
  };
  const date = text(93, 4);
  const genre = genreName(bytes[127] as number);
  const track = bytes[125] === 0 && bytes[126] !== 0 ? { number: bytes[126] } : undefined;
  const facts = {
    title: text(3, 30),
    artist: nonEmptyList([text(33, 30) ?? '']),
    album: text(63, 30),
    date,
    year: yearOf(date),
    track,
    genre: genre === undefined ? undefined : [genre],
  };
  return { length: 128, facts };
}

function lyrics3(window: Window, end: number, from: number): Id3 | undefined {
  if (end - 15 < from) return undefined;
  const foot = window.bytes(end - 15, 15).toString('latin1');
  const length = /^\d{6}LYRICS200$/.test(foot) ? 15 + Number(foot.slice(0, 6)) : 0;
  return length > 0 && end - length >= from ? { length, facts: {} } : undefined;
}

function ape(window: Window, end: number, from: number): Id3 | undefined {
  if (end - 32 < from) return undefined;
  const foot = window.copy(end - 32, 32);
  if (foot.toString('latin1', 0, 8) !== 'APETAGEX') return undefined;
  const body = foot.readUInt32LE(12);
  const length = body + ((foot.readUInt32LE(20) & 0x8000_0000) === 0 ? 0 : 32);
  if (body < 32 || end - length < from) return undefined;
  const facts = attempt(window, () => apeFacts(window.copy(end - body, body - 32), foot.readUInt32LE(16)));
  return { length, facts: facts ?? {} };
}

function apeFacts(bytes: Buffer, count: number): MediaFacts {
  const items = new Map<string, readonly string[]>();
  for (let at = 0, i = 0; i < Math.min(count, MOST_FRAMES) && at + 9 <= bytes.length; i++) {
    const length = bytes.readUInt32LE(at);
    const isText = (bytes.readUInt32LE(at + 4) & 6) === 0;
    const nameEnd = bytes.indexOf(0, at + 8);
    if (nameEnd < 0) break;
    const name = bytes.toString('latin1', at + 8, nameEnd).toLowerCase();
    if (isText) items.set(name, bytes.toString('utf8', nameEnd + 1, nameEnd + 1 + length).split('\0'));
    at = nameEnd + 1 + length;
  }
  const text = (name: string): string | undefined => nonEmpty(items.get(name)?.[0]);
  return {
    title: text('title'),
    artist: nonEmptyList(items.get('artist')),
    albumArtist: text('album artist'),
    album: text('album'),
    composer: nonEmptyList(items.get('composer')),
    genre: nonEmptyList(items.get('genre')),
    track: numbered(text('track')),
    disc: numbered(text('disc') ?? text('media')),
    date: text('year'),
    year: yearOf(text('year')),
    rights: text('copyright'),
  };
}
