import type { MediaFacts } from '@bk/core';
import { type EbmlElement, elementsOf, float, unsigned } from './ebml.ts';
import { firstKnown, type Reading } from './facts.ts';
import { matroskaTags } from './matroska-tags.ts';
import { type MatroskaTrack, matroskaTrack } from './matroska-track.ts';
import { nonEmpty } from './text.ts';
import { attempt, Unparsable, type Window } from './window.ts';

const HEADER = 0x1a45dfa3;
const DOCTYPE = 0x4282;
const SEGMENT = 0x18538067;
const SEEK_HEAD = 0x114d9b74;
const INFO = 0x1549a966;
const TRACKS = 0x1654ae6b;
const TRACK = 0xae;
const TAGS = 0x1254c367;
const CLUSTER = 0x1f43b675;
const LONGEST = 1 << 20;
/** Seconds from 1970 to 2001. */
const EPOCH = 978_307_200;

interface Found {
  info?: MediaFacts;
  tags?: MediaFacts;
  readonly tracks: MatroskaTrack[];
  /** Where more stands, behind the clusters. */
  readonly elsewhere: Map<number, number>;
}

/**
 * Matroska and WebM. What the seek head names is looked up; the clusters, which hold the frames, are not walked, and
 * SPEC names no payload for them.
 */
export function readMatroska(window: Window): Reading {
  const [header, segment] = topElements(window);
  const doctype = bodies(window, header, [DOCTYPE]).get(DOCTYPE)?.toString('latin1').replace(/\0+$/, '');
  if (doctype !== 'matroska' && doctype !== 'webm') throw new Unparsable('unsupported');
  if (segment === undefined) throw new Unparsable('truncated');
  const found: Found = { tracks: [], elsewhere: new Map() };
  attempt(window, () => {
    for (const element of elementsOf(window, segment.at, segment.end)) {
      if (element.id === CLUSTER) break;
      readPart(window, element, segment, found);
    }
  });
  for (const [id, at] of found.elsewhere) {
    if (isFound(found, id) || at >= segment.end) continue;
    attempt(window, () => {
      const [element] = elementsOf(window, at, segment.end);
      if (element?.id === id) readPart(window, element, segment, found);
    });
  }
  if (found.info === undefined && found.tracks.length === 0) throw new Unparsable('truncated');
  return { facts: factsOf(found, doctype) };
}

function topElements(window: Window): readonly [EbmlElement, EbmlElement | undefined] {
  let header: EbmlElement | undefined;
  for (const element of elementsOf(window, 0, window.size)) {
    if (element.id === HEADER) header ??= element;
    if (element.id === SEGMENT && header !== undefined) return [header, element];
  }
  if (header === undefined) throw new Unparsable('malformed');
  return [header, undefined];
}

function isFound(found: Found, id: number): boolean {
  return id === INFO
    ? found.info !== undefined
    : id === TAGS
      ? found.tags !== undefined
      : found.tracks.length > 0;
}

function readPart(window: Window, element: EbmlElement, segment: EbmlElement, found: Found): void {
  if (element.id === INFO) found.info ??= infoFacts(window, element);
  else if (element.id === TAGS) found.tags ??= matroskaTags(window, element);
  else if (element.id === SEEK_HEAD) readSeekHead(window, element, segment, found);
  else if (element.id === TRACKS && found.tracks.length === 0) {
    for (const track of elementsOf(window, element.at, element.end)) {
      const read = track.id === TRACK ? attempt(window, () => matroskaTrack(window, track)) : undefined;
      if (read !== undefined && found.tracks.length < 1000) found.tracks.push(read);
    }
  }
}

function readSeekHead(window: Window, head: EbmlElement, segment: EbmlElement, found: Found): void {
  for (const seek of elementsOf(window, head.at, head.end)) {
    const parts = bodies(window, seek, [0x53ab, 0x53ac]);
    const id = unsigned(parts.get(0x53ab) ?? Buffer.alloc(0));
    const at = segment.at + unsigned(parts.get(0x53ac) ?? Buffer.alloc(0));
    if (id === INFO || id === TRACKS || id === TAGS) found.elsewhere.set(id, at);
  }
}

/** Copies of the bodies of some children. */
function bodies(window: Window, parent: EbmlElement, ids: readonly number[]): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (const { id, at, end } of elementsOf(window, parent.at, parent.end)) {
    if (ids.includes(id) && !found.has(id) && end - at <= LONGEST) found.set(id, window.copy(at, end - at));
  }
  return found;
}

function infoFacts(window: Window, element: EbmlElement): MediaFacts {
  const parts = bodies(window, element, [0x2ad7b1, 0x4489, 0x7ba9, 0x4d80, 0x5741, 0x4461]);
  const scale = unsigned(parts.get(0x2ad7b1) ?? Buffer.from([0x0f, 0x42, 0x40]));
  const length = float(parts.get(0x4489) ?? Buffer.alloc(0));
  const created = parts.get(0x4461);
  return {
    duration: length === undefined ? undefined : (length * scale) / 1e9,
    title: nonEmpty(parts.get(0x7ba9)?.toString('utf8')),
    software: nonEmpty(parts.get(0x5741)?.toString('utf8')) ?? nonEmpty(parts.get(0x4d80)?.toString('utf8')),
    taken: created?.length === 8 ? createdOf(created.readBigInt64BE()) : undefined,
  };
}

/** Nanoseconds since 2001, in UTC. */
function createdOf(nanoseconds: bigint): string | undefined {
  if (nanoseconds === 0n) return undefined;
  const date = new Date((EPOCH + Number(nanoseconds / 1_000_000_000n)) * 1000);
  return `${date.toISOString().slice(0, 19)}Z`;
}

function factsOf({ info, tags, tracks }: Found, doctype: string): MediaFacts {
  const video = tracks.find((track) => track.video !== undefined);
  const audio = tracks.find((track) => track.audio !== undefined);
  const kind = video === undefined && audio !== undefined ? 'audio' : 'video';
  return firstKnown(
    {
      kind,
      mime: `${kind}/${doctype === 'webm' ? 'webm' : 'x-matroska'}`,
      ...(video?.video && { width: video.width, height: video.height, video: video.video }),
      ...(audio?.audio && { audio: audio.audio }),
    },
    info,
    tags,
  );
}
