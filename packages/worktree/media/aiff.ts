import type { MediaFacts } from '@bk/core';
import { firstKnown, type Reading } from './facts.ts';
import { readId3 } from './id3.ts';
import { wholePayload } from './payload.ts';
import { type Chunk, chunksOf } from './riff.ts';
import { nonEmpty, nonEmptyList, plainText } from './text.ts';
import { Unparsable, type Window, windowOn } from './window.ts';

const LONGEST_TAG = 16 << 20;
/** ffprobe's names for AIFF-C's compressions. */
const CODECS: Readonly<Record<string, string>> = {
  sowt: 'pcm_s16le',
  fl32: 'pcm_f32be',
  FL32: 'pcm_f32be',
  fl64: 'pcm_f64be',
  FL64: 'pcm_f64be',
  ulaw: 'pcm_mulaw',
  ULAW: 'pcm_mulaw',
  alaw: 'pcm_alaw',
  ALAW: 'pcm_alaw',
  ima4: 'adpcm_ima_qt',
};

interface Found {
  facts?: MediaFacts;
  sound?: { readonly offset: number; readonly length: number };
  readonly texts: Map<string, string>;
  id3?: MediaFacts | undefined;
}

/** AIFF and AIFF-C; the payload is the body of `SSND`. */
export function readAiff(window: Window): Reading {
  const found: Found = { texts: new Map() };
  for (const chunk of chunksOf(window, 12, window.size, true)) readChunk(window, chunk, found);
  if (found.facts === undefined) throw new Unparsable('truncated');
  const text = (id: string): string | undefined => nonEmpty(found.texts.get(id));
  const tags = { title: text('NAME'), creator: nonEmptyList([text('AUTH') ?? '']), rights: text('(c) ') };
  return {
    facts: firstKnown(found.facts, found.id3, tags),
    payload: wholePayload([found.sound === undefined ? [] : [found.sound]], window.size),
  };
}

function readChunk(window: Window, { id, at, length }: Chunk, found: Found): void {
  if (id === 'SSND' && length > 8) found.sound ??= { offset: at + 8, length: length - 8 };
  if (at + length > window.size || length > LONGEST_TAG) return;
  if (id === 'COMM') found.facts ??= common(window.copy(at, length));
  else if (id === 'ID3 ' || id === 'id3 ') found.id3 ??= readId3(windowOn(window.copy(at, length)))?.facts;
  else if (id === 'NAME' || id === 'AUTH' || id === '(c) ')
    found.texts.set(id, plainText(window.bytes(at, length)));
}

function common(bytes: Buffer): MediaFacts {
  const channels = bytes.readUInt16BE(0);
  const bits = bytes.readUInt16BE(6);
  const sampleRate = extended(bytes.subarray(8));
  const compression = bytes.length >= 22 ? bytes.toString('latin1', 18, 22) : 'NONE';
  const codec =
    compression === 'NONE' || compression === 'twos'
      ? `pcm_s${bits}${bits > 8 ? 'be' : ''}`
      : CODECS[compression];
  const isPcm = codec?.startsWith('pcm_') ?? false;
  const duration = bytes.readUInt32BE(2) / sampleRate;
  return {
    kind: 'audio',
    mime: 'audio/x-aiff',
    duration: duration > 0 ? duration : undefined,
    audio: {
      codec,
      channels,
      sampleRate: Math.round(sampleRate),
      bitDepth: isPcm ? bits : undefined,
      bitRate: isPcm ? sampleRate * channels * bits : undefined,
    },
  };
}

/** A number of ten bytes: sign and exponent, then the fraction with its leading one. */
function extended(bytes: Buffer): number {
  const exponent = (bytes.readUInt16BE(0) & 0x7fff) - 16383 - 63;
  return Number(bytes.readBigUInt64BE(2)) * 2 ** exponent;
}
