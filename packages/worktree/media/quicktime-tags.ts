import { type MediaFacts, parseTaken } from '@bk/core';
import { type Box, bodyOf, boxesOf, findBox, metaBody } from './bmff.ts';
import { firstKnown } from './facts.ts';
import { genreName } from './genres.ts';
import { latinText, nonEmpty, nonEmptyList, numbered, plainText, utf16Text, yearOf } from './text.ts';
import { attempt, type Window } from './window.ts';
import { xmpBlock } from './xmp.ts';

/** Values by the name of their atom (`©nam`), key (`com.apple.quicktime.make`) or, for free ones, `----:name`. */
type Tags = ReadonlyMap<string, readonly Buffer[]>;

const LONGEST_TAG = 64 << 10;
const MOST_TAGS = 4096;

/** What iTunes, QuickTime and cameras say of a movie; a broken part of it says nothing. */
export function movieTags(window: Window, movie: Box): MediaFacts {
  const user = attempt(window, () => findBox(window, movie, 'udta'));
  const keys = attempt(window, () => keyTags(window, movie)) ?? new Map();
  const items = (user && attempt(window, () => itemTags(window, user))) ?? new Map();
  const texts = (user && attempt(window, () => userTexts(window, user))) ?? new Map();
  const xmp = user && attempt(window, () => findBox(window, user, 'XMP_'));
  return firstKnown(
    xmp && attempt(window, () => xmpBlock(bodyOf(window, xmp))),
    keyFacts(keys),
    itemFacts(items),
    itemFacts(texts),
    cameraFacts(texts),
  );
}

/** iTunes' list in `udta/meta/ilst`. */
function itemTags(window: Window, user: Box): Tags {
  const meta = findBox(window, user, 'meta');
  const list = meta && findBox(window, metaBody(window, meta), 'ilst');
  return listTags(window, list, (box, name) => (box.type === '----' ? `----:${name}` : box.type));
}

/** QuickTime's keys in `moov/meta`: `keys` names them, `ilst` has their values by number. */
function keyTags(window: Window, movie: Box): Tags {
  const meta = findBox(window, movie, 'meta');
  const body = meta && metaBody(window, meta);
  const keys = findBox(window, body, 'keys');
  if (keys === undefined) return new Map();
  const names = [...boxesOf(window, keys.at + 8, keys.end)].map((box) =>
    bodyOf(window, box).toString('utf8'),
  );
  return listTags(window, findBox(window, body, 'ilst'), ({ type }) => {
    return names[Buffer.from(type, 'latin1').readUInt32BE() - 1] ?? '';
  });
}

function listTags(window: Window, list: Box | undefined, nameOf: (box: Box, name: string) => string): Tags {
  const found = new Map<string, Buffer[]>();
  let left = MOST_TAGS;
  for (const box of list === undefined ? [] : boxesOf(window, list.at, list.end)) {
    let name = '';
    const values: Buffer[] = [];
    for (const part of boxesOf(window, box.at, box.end)) {
      if (left-- <= 0) return found;
      if (part.end - part.at > LONGEST_TAG || part.end - part.at < 4) continue;
      if (part.type === 'name') name = bodyOf(window, part).toString('utf8', 4);
      else if (part.type === 'data' && part.end - part.at >= 8) values.push(bodyOf(window, part));
    }
    const key = nameOf(box, name);
    found.set(key, [...(found.get(key) ?? []), ...values]);
  }
  return found;
}

/** QuickTime's own texts (`©nam` …) and 3GPP's, as data of iTunes' kind. */
function userTexts(window: Window, user: Box): Tags {
  const found = new Map<string, Buffer[]>();
  for (const box of boxesOf(window, user.at, user.end)) {
    if (box.end - box.at > LONGEST_TAG || box.end - box.at < 5) continue;
    const bytes = bodyOf(window, box);
    if (box.type.startsWith('\xa9')) {
      const length = bytes.readUInt16BE(0);
      const text = bytes.subarray(4, 4 + length);
      // Below 0x400 the language is Macintosh's, and the text in one of its encodings.
      found.set(box.type, [asText(bytes.readUInt16BE(2) < 0x400 ? macOrPlain(text) : marked(text))]);
    } else if (THREE_GPP[box.type] !== undefined) {
      found.set(THREE_GPP[box.type] as string, [asText(marked(bytes.subarray(6)))]);
    }
  }
  return found;
}

const THREE_GPP: Readonly<Record<string, string>> = {
  titl: '\xa9nam',
  dscp: 'desc',
  cprt: 'cprt',
  perf: '\xa9ART',
  albm: '\xa9alb',
};

function macOrPlain(bytes: Buffer): string {
  return plainText(bytes);
}

function marked(bytes: Buffer): string {
  const isWide = bytes.length >= 2 && bytes.readUInt16BE(0) === 0xfeff;
  return isWide ? utf16Text(bytes.subarray(2), false) : plainText(bytes);
}

function asText(text: string): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]), Buffer.from(text)]);
}

/** A `data` box's value: its type says how it is written. */
function textOf(data: Buffer): string {
  const value = data.subarray(8);
  const type = data.readUInt32BE(0) & 0xffffff;
  if (type === 2) return utf16Text(value, false);
  if (type === 1) return value.toString('utf8');
  if ((type === 21 || type === 22) && value.length >= 1 && value.length <= 4) {
    return String(type === 21 ? value.readIntBE(0, value.length) : value.readUIntBE(0, value.length));
  }
  return type === 0 ? plainText(value) : latinText(value);
}

function itemFacts(tags: Tags): MediaFacts {
  const texts = (...names: readonly string[]): readonly string[] | undefined =>
    nonEmptyList(
      names
        .map((name) => tags.get(name))
        .find((found) => found !== undefined)
        ?.map(textOf),
    );
  const text = (...names: readonly string[]): string | undefined => texts(...names)?.[0];
  const free = (name: string): string | undefined => text(`----:${name}`);
  const date = text('\xa9day');
  return {
    title: text('\xa9nam'),
    artist: texts('\xa9ART'),
    albumArtist: text('aART'),
    album: text('\xa9alb'),
    composer: texts('\xa9wrt', '\xa9com'),
    genre: texts('\xa9gen') ?? numberedGenre(tags.get('gnre')?.[0]),
    track: pair(tags.get('trkn')?.[0]) ?? numbered(text('\xa9trk')),
    disc: pair(tags.get('disk')?.[0]),
    date,
    year: yearOf(date),
    description: text('desc', 'ldes', '\xa9des'),
    rights: text('cprt', '\xa9cpy'),
    software: text('\xa9too', '\xa9swr', '\xa9enc'),
    musicbrainz: {
      trackId: free('MusicBrainz Release Track Id'),
      recordingId: free('MusicBrainz Track Id'),
      albumId: free('MusicBrainz Album Id'),
      artistId: free('MusicBrainz Artist Id'),
    },
  };
}

function pair(data: Buffer | undefined): ReturnType<typeof numbered> {
  if (data === undefined || data.length < 14) return undefined;
  return numbered(`${data.readUInt16BE(10)}/${data.readUInt16BE(12)}`);
}

/** Counted from 1. */
function numberedGenre(data: Buffer | undefined): readonly string[] | undefined {
  if (data === undefined || data.length < 10) return undefined;
  const name = genreName(data.readUInt16BE(8) - 1);
  return name === undefined ? undefined : [name];
}

function cameraFacts(tags: Tags): MediaFacts {
  const text = (name: string): string | undefined => nonEmpty(tags.get(name)?.map(textOf)[0]);
  return { camera: { make: text('\xa9mak'), model: text('\xa9mod') }, gps: iso6709(text('\xa9xyz')) };
}

function keyFacts(tags: Tags): MediaFacts {
  const text = (name: string): string | undefined => nonEmpty(tags.get(`${APPLE}${name}`)?.map(textOf)[0]);
  const list = (name: string): readonly string[] | undefined => nonEmptyList([text(name) ?? '']);
  return {
    taken: parseTaken(text('creationdate') ?? ''),
    camera: { make: text('make'), model: text('model'), lens: text('camera.lens_model') },
    software: text('software'),
    gps: iso6709(text('location.ISO6709')),
    title: text('title') ?? text('displayname'),
    description: text('description'),
    creator: list('author'),
    rights: text('copyright'),
    keywords: nonEmptyList(text('keywords')?.split(',')),
    artist: list('artist'),
    album: text('album'),
    genre: list('genre'),
    date: text('year'),
    year: yearOf(text('year')),
  };
}

const APPLE = 'com.apple.quicktime.';

/** `+47.3769+008.5417+408.250/` in degrees; longer numbers are degrees and minutes (and seconds). */
export function iso6709(text: string | undefined): NonNullable<MediaFacts['gps']> {
  const found = /^([-+]\d+(?:\.\d+)?)([-+]\d+(?:\.\d+)?)(?:([-+]\d+(?:\.\d+)?))?/.exec(text ?? '');
  const [latitude, longitude] = [degrees(found?.[1], 2), degrees(found?.[2], 3)];
  if (latitude === undefined || longitude === undefined) return {};
  return { latitude, longitude, altitude: found?.[3] === undefined ? undefined : Number(found[3]) };
}

function degrees(text: string | undefined, digits: number): number | undefined {
  const found = new RegExp(`^([-+])(\\d{${digits}})(\\d\\d)?(\\d\\d)?(\\.\\d+)?$`).exec(text ?? '');
  if (found === null) return text === undefined ? undefined : loose(text, digits);
  const [, sign, whole, minutes, seconds, fraction = ''] = found;
  const parts = [whole, minutes, seconds].filter((part) => part !== undefined);
  parts.push(`${parts.pop()}${fraction}`);
  const size = parts.reduce((sum, part, i) => sum + Number(part) / 60 ** i, 0);
  return sign === '-' ? -size : size;
}

/** Some cameras leave out leading zeros. */
function loose(text: string, digits: number): number | undefined {
  return /^[-+]\d+/.exec(text)?.[0].length === digits ? Number(text) : undefined;
}
