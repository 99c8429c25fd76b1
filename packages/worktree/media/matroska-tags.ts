import type { MediaFacts } from '@bk/core';
import { type EbmlElement, elementsOf, unsigned } from './ebml.ts';
import { nonEmpty, nonEmptyList, numbered, yearOf } from './text.ts';
import type { Window } from './window.ts';

const TAG = 0x7373;
const TARGETS = 0x63c0;
const TARGET_TYPE = 0x68ca;
const SIMPLE = 0x67c8;
const NAME = 0x45a3;
const STRING = 0x4487;
/** Ids of a track, an edition, a chapter or an attachment that a tag is about. */
const PARTS: ReadonlySet<number> = new Set([0x63c5, 0x63c9, 0x63c4, 0x63c6]);
const ALBUM = 50;
const LONGEST = 64 << 10;

/** Tags of the whole file. Those about an album have level 50, about a piece 30; most programs state neither. */
export function matroskaTags(window: Window, element: EbmlElement): MediaFacts {
  const own = new Map<string, string[]>();
  const album = new Map<string, string[]>();
  for (const tag of elementsOf(window, element.at, element.end)) {
    if (tag.id !== TAG) continue;
    const target = targetOf(window, tag);
    if (target.isPart) continue;
    for (const simple of elementsOf(window, tag.at, tag.end)) {
      if (simple.id === SIMPLE) readSimple(window, simple, target.level === ALBUM ? album : own);
    }
  }
  return factsOf(own, album);
}

function targetOf(window: Window, tag: EbmlElement): { readonly isPart: boolean; readonly level: number } {
  let isPart = false;
  let level = 0;
  for (const element of elementsOf(window, tag.at, tag.end)) {
    if (element.id !== TARGETS) continue;
    for (const { id, at, end } of elementsOf(window, element.at, element.end)) {
      if (end - at > 8) continue;
      const value = unsigned(window.bytes(at, end - at));
      if (id === TARGET_TYPE) level = value;
      else if (PARTS.has(id) && value !== 0) isPart = true;
    }
  }
  return { isPart, level };
}

function readSimple(window: Window, simple: EbmlElement, found: Map<string, string[]>): void {
  let name = '';
  let value: string | undefined;
  for (const { id, at, end } of elementsOf(window, simple.at, simple.end)) {
    if (end - at > LONGEST) continue;
    if (id === NAME)
      name = window
        .bytes(at, end - at)
        .toString('utf8')
        .toUpperCase();
    else if (id === STRING) value = window.bytes(at, end - at).toString('utf8');
  }
  if (name !== '' && value !== undefined) found.set(name, [...(found.get(name) ?? []), value]);
}

type Values = ReadonlyMap<string, readonly string[]>;

function factsOf(own: Values, album: Values): MediaFacts {
  const texts = (...names: readonly string[]): readonly string[] | undefined =>
    nonEmptyList(names.map((name) => own.get(name)).find((values) => values !== undefined));
  const text = (...names: readonly string[]): string | undefined => texts(...names)?.[0];
  const ofAlbum = (name: string): string | undefined => nonEmpty(album.get(name)?.[0]);
  const date = text('DATE_RECORDED', 'DATE_RELEASED', 'DATE') ?? ofAlbum('DATE_RELEASED');
  return {
    title: text('TITLE') ?? (own.size === 0 ? ofAlbum('TITLE') : undefined),
    artist: texts('ARTIST') ?? nonEmptyList(album.get('ARTIST')),
    albumArtist: text('ALBUM_ARTIST', 'ALBUMARTIST') ?? ofAlbum('ARTIST'),
    album: text('ALBUM') ?? ofAlbum('TITLE'),
    composer: texts('COMPOSER'),
    genre: texts('GENRE') ?? nonEmptyList(album.get('GENRE')),
    track: numbered(text('PART_NUMBER', 'TRACKNUMBER', 'TRACK'), ofAlbum('TOTAL_PARTS')),
    disc: numbered(text('DISC', 'DISCNUMBER')),
    date,
    year: yearOf(date),
    description: text('DESCRIPTION', 'SUMMARY'),
    keywords: nonEmptyList(text('KEYWORDS')?.split(',')),
    rights: text('COPYRIGHT'),
    creator: texts('DIRECTOR'),
  };
}
