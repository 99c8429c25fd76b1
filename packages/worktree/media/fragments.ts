import { type Box, bodyOf, boxesOf, findBox, versioned } from './bmff.ts';
import { Spans } from './payload.ts';
import type { Track } from './track.ts';
import type { Window } from './window.ts';

interface Defaults {
  readonly duration: number;
  readonly size: number;
}
interface Growing {
  readonly track: Track;
  readonly spans: Spans;
  ticks: number;
  count: number;
}

/** Tracks with the samples that stand in movie fragments (`moof`) too, and how long they all are. */
export function readFragments(
  window: Window,
  movie: Box,
  tracks: readonly Track[],
): { readonly tracks: readonly Track[]; readonly duration: number | undefined } {
  const extended = findBox(window, movie, 'mvex');
  if (extended === undefined) return { tracks, duration: undefined };
  const defaults = trackDefaults(window, extended);
  const growing = new Map(
    tracks.map((track) => [track.id, { track, spans: spansOf(track), ticks: 0, count: 0 }]),
  );
  for (const top of boxesOf(window, 0, window.size)) {
    if (top.type !== 'moof' || top.isCut) continue;
    for (const part of boxesOf(window, top.at, top.end)) {
      if (part.type === 'traf') readFragment(window, { moof: top, part }, growing, defaults);
    }
  }
  const grown = [...growing.values()];
  const seconds = Math.max(
    0,
    ...grown.map(({ track, ticks }) => (track.scale > 0 ? ticks / track.scale : 0)),
  );
  return { tracks: grown.map(grownTrack), duration: seconds > 0 ? seconds : undefined };
}

function spansOf(track: Track): Spans {
  const spans = new Spans();
  for (const { offset, length } of track.samples) spans.add(offset, length);
  return spans;
}

function grownTrack({ track, spans, ticks, count }: Growing): Track {
  const samples = spans.list;
  const seconds = ticks / track.scale;
  if (!(seconds > 0)) return { ...track, samples };
  if (track.video !== undefined)
    return { ...track, samples, video: { ...track.video, frameRate: count / seconds } };
  if (track.audio === undefined) return { ...track, samples };
  const bytes = samples.reduce((sum, { length }) => sum + length, 0);
  return { ...track, samples, audio: { ...track.audio, bitRate: (bytes * 8) / seconds } };
}

function trackDefaults(window: Window, extended: Box): ReadonlyMap<number, Defaults> {
  const found = new Map<number, Defaults>();
  for (const box of boxesOf(window, extended.at, extended.end)) {
    if (box.type !== 'trex') continue;
    const bytes = bodyOf(window, box);
    found.set(bytes.readUInt32BE(4), { duration: bytes.readUInt32BE(12), size: bytes.readUInt32BE(16) });
  }
  return found;
}

interface Place {
  readonly moof: Box;
  readonly part: Box;
}

function readFragment(
  window: Window,
  { moof, part }: Place,
  growing: ReadonlyMap<number, Growing>,
  defaults: ReadonlyMap<number, Defaults>,
): void {
  const header = findBox(window, part, 'tfhd');
  if (header === undefined) return;
  const { flags, body } = versioned(window, header);
  const bytes = bodyOf(window, body);
  const id = bytes.readUInt32BE(0);
  const track = growing.get(id);
  if (track === undefined) return;
  let at = 4;
  const optional = (flag: number, length: 4 | 8): number | undefined => {
    if ((flags & flag) === 0) return undefined;
    at += length;
    return length === 8 ? Number(bytes.readBigUInt64BE(at - 8)) : bytes.readUInt32BE(at - 4);
  };
  let data = optional(0x1, 8) ?? moof.start;
  optional(0x2, 4);
  const duration = optional(0x8, 4) ?? defaults.get(id)?.duration ?? 0;
  const size = optional(0x10, 4) ?? defaults.get(id)?.size ?? 0;
  const base = data;
  for (const box of boxesOf(window, part.at, part.end)) {
    if (box.type === 'trun') data = readRun(window, box, { base, next: data, track, duration, size });
  }
}

interface Run {
  readonly base: number;
  /** Where the run before ended. */
  readonly next: number;
  readonly track: Growing;
  readonly duration: number;
  readonly size: number;
}

function readRun(window: Window, box: Box, { base, next, track, duration, size }: Run): number {
  const { flags, body } = versioned(window, box);
  const bytes = bodyOf(window, body);
  const count = bytes.readUInt32BE(0);
  let at = 4;
  let data = next;
  if ((flags & 1) !== 0) {
    data = base + bytes.readInt32BE(at);
    at += 4;
  }
  if ((flags & 4) !== 0) at += 4;
  const fields = [0x100, 0x200, 0x400, 0x800].filter((flag) => (flags & flag) !== 0);
  if (fields.length === 0) {
    track.spans.add(data, size * count);
    track.ticks += duration * count;
    track.count += count;
    return data + size * count;
  }
  for (let i = 0; i < count; i++, at += fields.length * 4) {
    const ticks = (flags & 0x100) === 0 ? duration : bytes.readUInt32BE(at);
    const length = (flags & 0x200) === 0 ? size : bytes.readUInt32BE(at + ((flags & 0x100) === 0 ? 0 : 4));
    track.spans.add(data, length);
    track.ticks += ticks;
    track.count++;
    data += length;
  }
  return data;
}
