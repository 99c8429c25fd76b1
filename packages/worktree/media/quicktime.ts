import type { MediaFacts } from '@bk/core';
import { type Box, bodyOf, boxesOf, findBox, versioned } from './bmff.ts';
import { canonRawFacts } from './canon-raw3.ts';
import { firstKnown, type Reading } from './facts.ts';
import { readFragments } from './fragments.ts';
import { readHeif } from './heif.ts';
import { wholePayload } from './payload.ts';
import { movieTags } from './quicktime-tags.ts';
import { readTrack, type Track } from './track.ts';
import { attempt, Unparsable, type Window } from './window.ts';
import { xmpBlock } from './xmp.ts';

const MOST_TRACKS = 1000;
const XMP_UUID = 'be7acfcb97a942e89c71999491e3afac';
/** Seconds from 1904 to 1970. */
const EPOCH = 2_082_844_800;
/** Seconds from 1970 to 1990: less is no time of a shot, whatever it counts from. */
const CAMERAS = 631_152_000;

/** ISO base media: MP4, M4A, MOV, 3GP; HEIC and AVIF pictures; CR3. The brands in `ftyp` tell which. */
export function readBaseMedia(window: Window): Reading {
  const brands = brandsOf(window);
  const picture = PICTURES.find(([brand]) => brands[0] === brand);
  if (picture !== undefined) return readHeif(window, picture[1]);
  const movie = readMovie(window);
  const { tracks } = movie;
  const payload = wholePayload(
    tracks.map(({ samples }) => samples),
    window.size,
  );
  if (brands[0] === 'crx ') {
    return { facts: firstKnown(canonRawFacts(window, movie.box, tracks), movie.xmp), payload };
  }
  const video = tracks.find((track) => track.video !== undefined);
  const audio = tracks.find((track) => track.audio !== undefined);
  const kind = video === undefined || /^M4[AB]/.test(brands[0] ?? '') ? 'audio' : 'video';
  const facts = firstKnown(
    {
      kind,
      mime: mimeOf(brands, kind),
      duration: movie.duration,
      ...(kind === 'video' && { width: video?.width, height: video?.height }),
      ...(kind === 'video' && video?.video !== undefined && { video: video.video }),
      ...(audio?.audio !== undefined && { audio: audio.audio }),
    },
    movie.xmp,
    movieTags(window, movie.box),
    { taken: movie.created },
  );
  return { facts, payload };
}

const PICTURES: readonly (readonly [brand: string, mime: string])[] = [
  ['heic', 'image/heic'],
  ['heix', 'image/heic'],
  ['heim', 'image/heic'],
  ['heis', 'image/heic'],
  ['mif1', 'image/heif'],
  ['mif2', 'image/heif'],
  ['avif', 'image/avif'],
  ['avis', 'image/avif'],
];

function brandsOf(window: Window): readonly string[] {
  const [first] = boxesOf(window, 0, window.size);
  if (first?.type !== 'ftyp') return [];
  const bytes = bodyOf(window, first).toString('latin1');
  return [bytes.slice(0, 4), ...(bytes.slice(8).match(/[\s\S]{4}/g) ?? [])];
}

function mimeOf([brand = 'qt  ']: readonly string[], kind: 'audio' | 'video'): string {
  if (kind === 'audio') return brand === 'qt  ' ? 'video/quicktime' : 'audio/mp4';
  if (brand === 'qt  ') return 'video/quicktime';
  if (/^M4V/.test(brand)) return 'video/x-m4v';
  if (/^3g[2ab]/.test(brand)) return 'video/3gpp2';
  return /^3g/.test(brand) ? 'video/3gpp' : 'video/mp4';
}

export interface Movie {
  readonly box: Box;
  readonly tracks: readonly Track[];
  /** Seconds. */
  readonly duration: number | undefined;
  readonly created: string | undefined;
  readonly xmp: MediaFacts | undefined;
}

function readMovie(window: Window): Movie {
  let box: Box | undefined;
  let xmp: MediaFacts | undefined;
  let isCut = false;
  for (const top of boxesOf(window, 0, window.size)) {
    if (top.type === 'moov') box ??= top;
    else if (top.type === 'uuid') xmp ??= attempt(window, () => uuidXmp(window, top));
    isCut ||= top.isCut;
  }
  if (box === undefined || box.isCut)
    throw new Unparsable(isCut || box === undefined ? 'truncated' : 'malformed');
  const tracks: Track[] = [];
  for (const child of boxesOf(window, box.at, box.end)) {
    if (child.type === 'cmov') throw new Unparsable('unsupported');
    if (child.type === 'trak' && tracks.length < MOST_TRACKS) tracks.push(readTrack(window, child));
  }
  if (tracks.length === 0) throw new Unparsable('malformed');
  const header = headerOf(window, box);
  const fragments = readFragments(window, box, tracks);
  return { box, xmp, tracks: fragments.tracks, ...header, duration: header.duration ?? fragments.duration };
}

function uuidXmp(window: Window, box: Box): MediaFacts | undefined {
  if (window.bytes(box.at, 16).toString('hex') !== XMP_UUID) return undefined;
  return xmpBlock(window.copy(box.at + 16, box.end - box.at - 16));
}

function headerOf(
  window: Window,
  movie: Box,
): { readonly duration: number | undefined; readonly created: string | undefined } {
  const header = findBox(window, movie, 'mvhd');
  if (header === undefined) return { duration: undefined, created: undefined };
  const { version, body } = versioned(window, header);
  const bytes = bodyOf(window, body);
  const isLong = version === 1;
  const created = isLong ? Number(bytes.readBigUInt64BE(0)) : bytes.readUInt32BE(0);
  const scale = bytes.readUInt32BE(isLong ? 16 : 8);
  const length = isLong ? Number(bytes.readBigUInt64BE(20)) : bytes.readUInt32BE(12);
  const isKnown = length > 0 && length < (isLong ? 2 ** 63 : 0xffff_ffff) && scale > 0;
  return { duration: isKnown ? length / scale : undefined, created: createdOf(created) };
}

/** Seconds since 1904 in UTC. Some programs count from 1970: what would be before that is theirs. */
function createdOf(seconds: number): string | undefined {
  if (seconds < CAMERAS || seconds > 2 ** 40) return undefined;
  const unix = seconds >= EPOCH ? seconds - EPOCH : seconds;
  return `${new Date(unix * 1000).toISOString().slice(0, 19)}Z`;
}
