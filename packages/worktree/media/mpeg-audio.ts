import type { MediaFacts } from '@bk/core';
import { firstKnown, type Reading } from './facts.ts';
import { readFlac } from './flac.ts';
import { readId3, readTail } from './id3.ts';
import { wholePayload } from './payload.ts';
import { Unparsable, type Window } from './window.ts';

const SEARCHED = 256 << 10;
const MOST_TAGS = 16;

/** Musepack, Monkey's Audio, WavPack, TTA and OptimFROG begin with ID3 too. */
const OTHERS = /^(?:MP\+|MPCK|MAC |wvpk|TTA1|OFR )/;

interface Frame {
  readonly length: number;
  readonly version: number;
  readonly layer: number;
  readonly sampleRate: number;
  readonly channels: number;
  readonly bitRate: number;
  readonly samples: number;
  /** Where in the frame Xing's header would stand. */
  readonly xing: number;
}

/**
 * MP3 (and MPEG layers 1 and 2): frames between tags. Undefined if it only began like one, as some texts in UTF-16 do.
 * The payload begins after a leading frame that holds Xing's or VBRI's table and no sound.
 */
export function readMpegAudio(window: Window): Reading | undefined {
  const tags: MediaFacts[] = [];
  let at = 0;
  for (
    let tag = readId3(window, at);
    tag !== undefined && tags.length < MOST_TAGS;
    tag = readId3(window, at)
  ) {
    tags.push(tag.facts);
    at = Math.min(window.size, at + tag.length);
  }
  const after = window.upTo(at, 4).toString('latin1');
  if (after === 'fLaC') return readFlac(window, at);
  if (OTHERS.test(after)) throw new Unparsable('unsupported');
  const tail = readTail(window, at);
  const first = firstFrame(
    window,
    at,
    Math.min(tail.start, at + (tags.length > 0 ? SEARCHED : 1)),
    tail.start,
  );
  if (first === undefined && tags.length === 0) return undefined;
  const facts = firstKnown({ kind: 'audio', mime: 'audio/mpeg' }, ...tags, tail.facts);
  if (first === undefined) {
    // A tag whose sound is missing still tells what it was.
    if ((facts.title ?? facts.artist ?? facts.album) === undefined) throw new Unparsable('truncated');
    return { facts };
  }
  const frame = frameAt(window, first) as Frame;
  const stated = statedLength(window, first, frame);
  const start = first + (stated === undefined ? 0 : frame.length);
  const measured =
    stated?.frames === undefined ? walk(window, start, tail.start) : stated.frames * frame.samples;
  const duration = measured / frame.sampleRate;
  const isVariable = stated?.isVariable ?? false;
  const audio = {
    codec: `mp${4 - frame.layer}`,
    sampleRate: frame.sampleRate,
    channels: frame.channels,
    bitRate:
      isVariable && duration > 0 ? ((stated?.bytes ?? tail.start - start) * 8) / duration : frame.bitRate,
  };
  return {
    facts: firstKnown({ duration, audio }, facts, { software: stated?.encoder }),
    payload: wholePayload([[{ offset: start, length: tail.start - start }]], window.size),
  };
}

/** A frame is believed if another one of its kind follows it, and a third where there is room. */
function firstFrame(window: Window, from: number, until: number, end: number): number | undefined {
  for (let at = from; at < until; at++) {
    if (window.byte(at) !== 0xff) continue;
    const frame = frameAt(window, at);
    if (frame === undefined) continue;
    const second = at + frame.length;
    const next = frameAt(window, second);
    if (
      second === end ||
      (next !== undefined && isAlike(frame, next) && followsWell(window, second + next.length, end, frame))
    ) {
      return at;
    }
  }
  return undefined;
}

function followsWell(window: Window, at: number, end: number, frame: Frame): boolean {
  if (at + 4 > end) return true;
  const third = frameAt(window, at);
  return third !== undefined && isAlike(frame, third);
}

function isAlike(a: Frame, b: Frame): boolean {
  return a.version === b.version && a.layer === b.layer && a.sampleRate === b.sampleRate;
}

const RATES = [44_100, 48_000, 32_000] as const;
/** kbit/s by index, for version 1 and the later ones, by layer (3, 2, 1). */
const BIT_RATES = [
  [
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  ],
  [
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  ],
] as const;

/** The frame whose header stands there. `layer` is as written: 1 is layer III. */
function frameAt(window: Window, at: number): Frame | undefined {
  if (at + 4 > window.size) return undefined;
  const head = window.bytes(at, 4).readUInt32BE();
  const version = (head >>> 19) & 3;
  const layer = (head >>> 17) & 3;
  const rate = RATES[(head >>> 10) & 3];
  const kilobits = BIT_RATES[version === 3 ? 0 : 1]?.[layer - 1]?.[((head >>> 12) & 15) - 1];
  if (head >>> 21 !== 0x7ff || version === 1 || rate === undefined || kilobits === undefined)
    return undefined;
  const sampleRate = rate >> (version === 3 ? 0 : version === 2 ? 1 : 2);
  const padding = (head >>> 9) & 1;
  const samples = layer === 3 ? 384 : layer === 1 && version !== 3 ? 576 : 1152;
  const slot = layer === 3 ? 4 : 1;
  const length = (Math.floor((samples / 8 / slot) * ((kilobits * 1000) / sampleRate)) + padding) * slot;
  const isMono = ((head >>> 6) & 3) === 3;
  const side = version === 3 ? (isMono ? 17 : 32) : isMono ? 9 : 17;
  const check = ((head >>> 16) & 1) === 0 ? 2 : 0;
  return {
    length,
    version,
    layer,
    sampleRate,
    channels: isMono ? 1 : 2,
    bitRate: kilobits * 1000,
    samples,
    xing: 4 + check + side,
  };
}

interface Stated {
  readonly frames?: number | undefined;
  readonly bytes?: number | undefined;
  readonly isVariable: boolean;
  readonly encoder?: string | undefined;
}

function statedLength(window: Window, at: number, frame: Frame): Stated | undefined {
  const bytes = window.upTo(at, frame.length);
  // Some encoders count the two bytes of a checksum, some do not.
  for (const offset of [frame.xing, frame.xing - 2]) {
    const name = bytes.toString('latin1', offset, offset + 4);
    if ((name !== 'Xing' && name !== 'Info') || offset + 16 > bytes.length) continue;
    const flags = bytes.readUInt32BE(offset + 4);
    const frames = (flags & 1) !== 0 ? bytes.readUInt32BE(offset + 8) : 0;
    const size = (flags & 2) !== 0 ? bytes.readUInt32BE(offset + ((flags & 1) !== 0 ? 12 : 8)) : 0;
    return {
      frames: frames || undefined,
      bytes: size || undefined,
      isVariable: name === 'Xing',
      encoder: encoderOf(bytes.subarray(offset + 8 + xingLength(flags))),
    };
  }
  if (bytes.length >= 54 && bytes.toString('latin1', 36, 40) === 'VBRI') {
    return {
      frames: bytes.readUInt32BE(50) || undefined,
      bytes: bytes.readUInt32BE(46) || undefined,
      isVariable: true,
    };
  }
  return undefined;
}

/** Numbers of frames and bytes, a table of places, a quality: each only if its flag says so. */
function xingLength(flags: number): number {
  return [4, 4, 100, 4].reduce((sum, length, i) => sum + ((flags & (1 << i)) !== 0 ? length : 0), 0);
}

/** LAME and those that do as it does leave their name behind the table. */
function encoderOf(bytes: Buffer): string | undefined {
  return /^(?:LAME|Lav[cf]|GOGO)[\x20-\x7e]*/.exec(bytes.toString('latin1', 0, 9))?.[0].trim();
}

/** Samples of all frames up to an end; what is no frame ends it. */
function walk(window: Window, from: number, end: number): number {
  let samples = 0;
  for (let at = from; at + 4 <= end; ) {
    const frame = frameAt(window, at);
    if (frame === undefined) break;
    samples += frame.samples;
    at += frame.length;
  }
  return samples;
}
