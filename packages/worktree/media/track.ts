import type { MediaFacts } from '@bk/core';
import { type Box, bodyOf, findBox, findPath, versioned } from './bmff.ts';
import type { Span } from './payload.ts';
import { audioEntry, videoEntry } from './sample-entry.ts';
import { readSamples } from './samples.ts';
import { attempt, type Window } from './window.ts';

/** A track of a movie: what it is, and where its samples lie. */
export interface Track {
  readonly id: number;
  /** `vide`, `soun`, `text` … */
  readonly handler: string;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly video?: MediaFacts['video'];
  readonly audio?: MediaFacts['audio'];
  readonly samples: readonly Span[];
  /** Ticks a second. */
  readonly scale: number;
}

export function readTrack(window: Window, box: Box): Track {
  const header = trackHeader(window, box);
  const handlerBox = findPath(window, box, ['mdia', 'hdlr']);
  const handler = handlerBox === undefined ? '' : window.bytes(handlerBox.at + 8, 4).toString('latin1');
  const scale = mediaScale(window, box);
  const table = findPath(window, box, ['mdia', 'minf', 'stbl']);
  const description = findBox(window, table, 'stsd');
  const base = { id: header.id, handler, scale };
  if (table === undefined || description === undefined) return { ...base, samples: [] };
  const entry = bodyOf(window, { ...description, at: Math.min(description.end, description.at + 8) });
  const audio = handler === 'soun' ? attempt(window, () => audioEntry(entry)) : undefined;
  const { spans, bytes, count, ticks } = readSamples(window, table, audio?.frameBytes ?? 0);
  const seconds = ticks / scale;
  if (audio !== undefined) {
    const bitRate = bytes > 0 && seconds > 0 ? (bytes * 8) / seconds : audio.facts.bitRate;
    return { ...base, samples: spans, audio: { ...audio.facts, bitRate } };
  }
  const video = handler === 'vide' ? attempt(window, () => videoEntry(entry)) : undefined;
  if (video === undefined) return { ...base, samples: spans };
  const frameRate = seconds > 0 ? count / seconds : undefined;
  const { width, height, codec } = video;
  return { ...base, samples: spans, width, height, video: { codec, frameRate, rotation: header.rotation } };
}

function trackHeader(
  window: Window,
  box: Box,
): { readonly id: number; readonly rotation: number | undefined } {
  const header = findBox(window, box, 'tkhd');
  if (header === undefined) return { id: 0, rotation: undefined };
  const { version, body } = versioned(window, header);
  const bytes = bodyOf(window, body);
  const at = version === 1 ? 16 : 8;
  const matrix = version === 1 ? 48 : 36;
  const [a, b, c, d] = [0, 4, 12, 16].map((offset) => Math.sign(bytes.readInt32BE(matrix + offset)));
  const turn = TURNS.find(({ is }) => is[0] === a && is[1] === b && is[2] === c && is[3] === d);
  return { id: bytes.readUInt32BE(at), rotation: turn?.degrees };
}

/** What a matrix of cosines and sines says, clockwise. */
const TURNS = [
  { is: [1, 0, 0, 1], degrees: 0 },
  { is: [0, 1, -1, 0], degrees: 90 },
  { is: [-1, 0, 0, -1], degrees: 180 },
  { is: [0, -1, 1, 0], degrees: 270 },
] as const;

function mediaScale(window: Window, box: Box): number {
  const header = findPath(window, box, ['mdia', 'mdhd']);
  if (header === undefined) return 0;
  const { version, body } = versioned(window, header);
  return window.bytes(body.at + (version === 1 ? 16 : 8), 4).readUInt32BE();
}
