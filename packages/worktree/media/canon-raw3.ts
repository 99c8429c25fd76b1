import type { MediaFacts } from '@bk/core';
import { type Box, bodyOf, boxesOf } from './bmff.ts';
import { separateExif } from './exif.ts';
import { firstKnown } from './facts.ts';
import type { Track } from './track.ts';
import type { Window } from './window.ts';

const CANON_UUID = '85c0b687820f11e08111f4ce462b6a48';

/** CR3 is a movie whose tracks are pictures, first the developed one in full size; in a box of its own it has three TIFFs: camera, exposure, place. */
export function canonRawFacts(window: Window, movie: Box, tracks: readonly Track[]): MediaFacts {
  const picture = tracks.find(({ width }) => width !== undefined);
  const facts = {
    kind: 'image',
    mime: 'image/x-canon-cr3',
    width: picture?.width,
    height: picture?.height,
  } as const;
  for (const box of boxesOf(window, movie.at, movie.end)) {
    if (box.type !== 'uuid' || window.bytes(box.at, 16).toString('hex') !== CANON_UUID) continue;
    const blocks = new Map<string, Buffer>();
    for (const part of boxesOf(window, box.at + 16, box.end)) blocks.set(part.type, bodyOf(window, part));
    const exif = separateExif(['CMT1', 'CMT2', 'CMT4'].map((type) => blocks.get(type)));
    return firstKnown(facts, exif.facts, exif.texts);
  }
  return facts;
}
