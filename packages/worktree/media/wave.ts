import { type MediaFacts, parseTaken } from '@bk/core';
import { firstKnown, type Reading } from './facts.ts';
import { readId3 } from './id3.ts';
import { wholePayload } from './payload.ts';
import { type Chunk, chunksOf } from './riff.ts';
import { riffInfo } from './riff-info.ts';
import { type WaveFormat, waveFormat } from './wave-format.ts';
import { attempt, Unparsable, type Window, windowOn } from './window.ts';

interface Found {
  format?: WaveFormat;
  data?: { readonly at: number; readonly length: number };
  /** Of each channel, of compressed sound. */
  samples?: number;
  /** Of the data, where 32 bits were not enough. */
  longLength?: number;
  readonly tags: (MediaFacts | undefined)[];
}

const LONGEST_TAG = 16 << 20;
const UNKNOWN = 0xffff_ffff;

/** WAV and its 64-bit sister RF64; the payload is the body of `data`. */
export function readWave(window: Window): Reading {
  const found: Found = { tags: [] };
  for (const chunk of chunksOf(window, 12, window.size)) {
    if (chunk.id === 'data') {
      const length = chunk.length === UNKNOWN ? (found.longLength ?? window.size - chunk.at) : chunk.length;
      found.data ??= { at: chunk.at, length };
      if (chunk.length === UNKNOWN) break;
    } else readChunk(window, chunk, found);
  }
  const { format, data, samples, tags } = found;
  if (format === undefined) throw new Unparsable('truncated');
  const { audio, bytesPerSecond, isPcm } = format;
  const length = data === undefined ? 0 : Math.min(data.length, window.size - data.at);
  const exact = !isPcm && samples !== undefined ? samples / (audio.sampleRate ?? 1) : length / bytesPerSecond;
  const duration = exact > 0 ? exact : undefined;
  return {
    facts: firstKnown({ kind: 'audio', mime: 'audio/x-wav', duration, audio }, ...tags),
    payload: wholePayload(
      [data === undefined ? [] : [{ offset: data.at, length: data.length }]],
      window.size,
    ),
  };
}

function readChunk(window: Window, { id, at, length }: Chunk, found: Found): void {
  if (at + length > window.size || length > LONGEST_TAG) return;
  if (id === 'fmt ') found.format ??= waveFormat(window.copy(at, length));
  else if (id === 'fact' && length >= 4) found.samples ??= window.bytes(at, 4).readUInt32LE();
  else if (id === 'ds64' && length >= 16)
    found.longLength ??= Number(window.bytes(at + 8, 8).readBigUInt64LE());
  else if (id === 'LIST') found.tags.push(riffInfo(window, { id, at, length }));
  else if (id === 'id3 ' || id === 'ID3 ')
    found.tags.unshift(readId3(windowOn(window.copy(at, length)))?.facts);
  else if (id === 'bext') found.tags.push(attempt(window, () => broadcast(window.copy(at, length))));
}

/** The broadcast extension: when it was recorded, in the recorder's own time. */
function broadcast(bytes: Buffer): MediaFacts {
  const text = (at: number, length: number): string =>
    bytes.toString('latin1', at, at + length).split('\0')[0] ?? '';
  return {
    taken: parseTaken(`${text(320, 10)} ${text(330, 8)}`),
    description: text(0, 256),
    creator: [text(256, 32)].filter((name) => name !== ''),
  };
}
