import type { MediaFacts } from '@bk/core';
import { nonEmpty, nonEmptyList, numbered, yearOf } from './text.ts';

const MOST_COMMENTS = 10_000;
const LONGEST = 64 << 10;

/** The facts of Vorbis comments, which FLAC, Ogg Vorbis, Opus and Theora share. What is cut off is left out. */
export function vorbisComments(bytes: Buffer): MediaFacts {
  const found = new Map<string, string[]>();
  let at = 4 + bytes.readUInt32LE(0);
  const count = bytes.readUInt32LE(at);
  at += 4;
  for (let i = 0; i < Math.min(count, MOST_COMMENTS) && at + 4 <= bytes.length; i++) {
    const length = bytes.readUInt32LE(at);
    at += 4;
    if (at + length > bytes.length) break;
    const text = length <= LONGEST ? bytes.toString('utf8', at, at + length) : '';
    const equals = text.indexOf('=');
    if (equals > 0) {
      const name = text.slice(0, equals).toUpperCase();
      found.set(name, [...(found.get(name) ?? []), text.slice(equals + 1)]);
    }
    at += length;
  }
  return factsOf(found);
}

function factsOf(found: ReadonlyMap<string, readonly string[]>): MediaFacts {
  const texts = (...names: readonly string[]): readonly string[] | undefined =>
    nonEmptyList(names.map((name) => found.get(name)).find((values) => values !== undefined));
  const text = (...names: readonly string[]): string | undefined => texts(...names)?.[0];
  const date = text('DATE', 'YEAR');
  return {
    title: text('TITLE'),
    artist: texts('ARTIST'),
    albumArtist: text('ALBUMARTIST', 'ALBUM ARTIST', 'ALBUM_ARTIST'),
    album: text('ALBUM'),
    composer: texts('COMPOSER'),
    genre: texts('GENRE'),
    track: numbered(text('TRACKNUMBER', 'TRACK'), text('TRACKTOTAL', 'TOTALTRACKS')),
    disc: numbered(text('DISCNUMBER', 'DISC'), text('DISCTOTAL', 'TOTALDISCS')),
    date,
    year: yearOf(date),
    description: text('DESCRIPTION'),
    rights: text('COPYRIGHT'),
    software: nonEmpty(text('ENCODER')),
    musicbrainz: {
      trackId: text('MUSICBRAINZ_RELEASETRACKID'),
      recordingId: text('MUSICBRAINZ_TRACKID'),
      albumId: text('MUSICBRAINZ_ALBUMID'),
      artistId: text('MUSICBRAINZ_ARTISTID'),
    },
  };
}
