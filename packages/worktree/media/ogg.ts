import type { MediaFacts } from '@bk/core';
import { firstKnown, type Reading } from './facts.ts';
import { flacStreamInfo } from './flac-info.ts';
import { type Span, Spans, wholePayload } from './payload.ts';
import { vorbisComments } from './vorbis-comment.ts';
import { attempt, Unparsable, type Window } from './window.ts';

const MOST_PAGES = 50_000_000;
const MOST_STREAMS = 64;
const LONGEST_COMMENTS = 16 << 20;
/** Headers stand in a stream's first packets. */
const HEADER_PACKETS = 16;

/** One logical stream. Packets are made of parts of pages. */
interface Stream {
  readonly payload: Spans;
  /** Of the packet that is being put together. */
  parts: Span[];
  packets: number;
  granule: number;
  codec?: Codec | undefined;
  tags?: MediaFacts | undefined;
}

interface Codec {
  readonly audio?: MediaFacts['audio'];
  readonly video?: MediaFacts['video'];
  readonly width?: number;
  readonly height?: number;
  /** Begin of the packet that holds the comments, and how long that begin is. */
  readonly comments: RegExp;
  readonly skipped: number;
  seconds(granule: number): number;
}

/** Ogg: pages of Vorbis, Opus, FLAC, Speex or Theora. Every page is walked: a payload is all packets but the comments. */
export function readOgg(window: Window): Reading {
  const streams = new Map<number, Stream>();
  let at = 0;
  for (let count = 0; at + 27 <= window.size; count++) {
    if (count > MOST_PAGES) throw new Unparsable('malformed');
    const next = readPage(window, at, streams);
    // What follows the last page (ID3v1, zeros) is no part of it.
    if (next === undefined) break;
    at = next;
  }
  const known = [...streams.values()].filter(({ codec }) => codec !== undefined);
  if (known.length === 0) throw new Unparsable(at === 0 || streams.size === 0 ? 'truncated' : 'unsupported');
  const video = known.find(({ codec }) => codec?.video !== undefined)?.codec;
  const audio = known.find(({ codec }) => codec?.audio !== undefined)?.codec;
  const duration = Math.max(0, ...known.map(({ codec, granule }) => codec?.seconds(granule) ?? 0));
  const facts: MediaFacts = {
    kind: video === undefined ? 'audio' : 'video',
    mime: video === undefined ? 'audio/ogg' : 'video/ogg',
    duration: duration > 0 ? duration : undefined,
    ...(audio?.audio && { audio: audio.audio }),
    ...(video?.video && { video: video.video, width: video.width, height: video.height }),
  };
  return {
    facts: firstKnown(facts, ...known.map(({ tags }) => tags)),
    payload: wholePayload(
      [...streams.values()].map(({ payload }) => payload.list),
      window.size,
    ),
  };
}

function readPage(window: Window, at: number, streams: Map<number, Stream>): number | undefined {
  const head = window.bytes(at, 27);
  if (head.toString('latin1', 0, 4) !== 'OggS') {
    if (at === 0) throw new Unparsable('malformed');
    return undefined;
  }
  const granule = Number(head.readBigInt64LE(6));
  const serial = head.readUInt32LE(14);
  const count = head[26] as number;
  const lacing = window.upTo(at + 27, count);
  const lengths = [...lacing];
  const body = at + 27 + count;
  const end = body + lengths.reduce((sum, length) => sum + length, 0);
  if (lacing.length < count || end > window.size) return undefined;
  const stream = streams.get(serial) ?? { payload: new Spans(), parts: [], packets: 0, granule: 0 };
  if (!streams.has(serial) && streams.size >= MOST_STREAMS) throw new Unparsable('malformed');
  streams.set(serial, stream);
  readPackets(window, body, lengths, stream);
  if (granule > 0) stream.granule = granule;
  return end;
}

/** A packet ends with a length below 255; all after the headers needs no telling apart. */
function readPackets(window: Window, body: number, lengths: readonly number[], stream: Stream): void {
  let from = body;
  let at = body;
  for (const length of lengths) {
    at += length;
    if (stream.packets >= HEADER_PACKETS || length === 255) continue;
    stream.parts.push({ offset: from, length: at - from });
    endPacket(window, stream);
    from = at;
  }
  if (stream.packets >= HEADER_PACKETS) stream.payload.add(from, at - from);
  else if (at > from) stream.parts.push({ offset: from, length: at - from });
}

function endPacket(window: Window, stream: Stream): void {
  const { parts } = stream;
  stream.parts = [];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = packetStart(window, parts, 64);
  if (stream.packets++ === 0) stream.codec = attempt(window, () => codecOf(head));
  const { codec } = stream;
  if (codec?.comments.test(head.toString('latin1')) && stream.packets > 1) {
    if (length > LONGEST_COMMENTS) return;
    const bytes = packetStart(window, parts, length);
    stream.tags ??= attempt(window, () => vorbisComments(bytes.subarray(codec.skipped)));
  } else for (const { offset, length: size } of parts) stream.payload.add(offset, size);
}

function packetStart(window: Window, parts: readonly Span[], length: number): Buffer {
  const found: Buffer[] = [];
  let left = length;
  for (const part of parts) {
    if (left <= 0) break;
    found.push(window.copy(part.offset, Math.min(left, part.length)));
    left -= part.length;
  }
  return Buffer.concat(found);
}

function codecOf(head: Buffer): Codec | undefined {
  const text = head.toString('latin1');
  if (text.startsWith('\x01vorbis')) return vorbis(head);
  if (text.startsWith('OpusHead')) return opus(head);
  if (text.startsWith('\x7fFLAC')) return flac(head);
  if (text.startsWith('Speex   ')) return speex(head);
  if (text.startsWith('\x80theora')) return theora(head);
  return undefined;
}

function vorbis(head: Buffer): Codec {
  const sampleRate = head.readUInt32LE(12);
  const nominal = head.readInt32LE(20);
  const audio = {
    codec: 'vorbis',
    channels: head[11],
    sampleRate,
    bitRate: nominal > 0 ? nominal : undefined,
  };
  return { audio, comments: /^\x03vorbis/, skipped: 7, seconds: (granule) => granule / sampleRate };
}

/** Opus counts samples at 48 kHz whatever it was made from. */
function opus(head: Buffer): Codec {
  const skipped = head.readUInt16LE(10);
  const audio = { codec: 'opus', channels: head[9], sampleRate: 48_000 };
  return { audio, comments: /^OpusTags/, skipped: 8, seconds: (granule) => (granule - skipped) / 48_000 };
}

/** After `fLaC` the blocks as in a file, each a packet. Pictures (6) are tags too. */
function flac(head: Buffer): Codec {
  const { sampleRate, channels, bitDepth } = flacStreamInfo(head.subarray(17));
  const audio = { codec: 'flac', channels, sampleRate, bitDepth };
  return { audio, comments: /^[\x04\x84\x06\x86]/, skipped: 4, seconds: (granule) => granule / sampleRate };
}

function speex(head: Buffer): Codec {
  const sampleRate = head.readUInt32LE(36);
  const audio = { codec: 'speex', channels: head.readUInt32LE(48), sampleRate };
  return { audio, comments: /^(?!Speex)/, skipped: 0, seconds: (granule) => granule / sampleRate };
}

function theora(head: Buffer): Codec {
  const frameRate = head.readUInt32BE(22) / head.readUInt32BE(26);
  const shift = (((head[40] as number) & 3) << 3) | ((head[41] as number) >> 5);
  return {
    video: { codec: 'theora', frameRate },
    width: head.readUIntBE(14, 3),
    height: head.readUIntBE(17, 3),
    comments: /^\x81theora/,
    skipped: 7,
    // The number of the last key frame, then how many came after it.
    seconds: (granule) => (Math.floor(granule / 2 ** shift) + (granule % 2 ** shift)) / frameRate,
  };
}
