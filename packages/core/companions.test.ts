import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { companionStem, companionStemAt, groupCompanions } from './companions.ts';
import { type EncodedName, parentOf, type RepoPath } from './path.ts';

const names = (text: string) => text.split(', ') as EncodedName[];
const groupsOf = (list: readonly EncodedName[]) =>
  [...new Set(groupCompanions(list).values())].map((group) => group.join(', '));

describe('companions', () => {
  test.each([
    ['a raw file, its JPEG and its sidecar', 'IMG_1.CR2, IMG_1.JPG, IMG_1.XMP'],
    ['the sidecar of Lightroom, of darktable, of RawTherapee', 'a.NEF, a.xmp, a.NEF.xmp, a.NEF.pp3'],
    ['a sidecar for each of two', 'a.raf, a.jpg, a.raf.xmp, a.jpg.xmp'],
    ['a Live Photo, its film, its edits', 'IMG_1234.HEIC, IMG_1234.MOV, IMG_1234.AAE'],
    ['a Live Photo as other phones have it', 'IMG_1234.jpeg, IMG_1234.mp4'],
    ['the letter case of endings, both spellings of some', 'x.JPG, x.jpeg, x.dng, x.Xmp'],
    ['a camera whose films have thumbnails', 'MVI_7.THM, MVI_7.MOV'],
    ['any file and its sidecar', 'song.mp3, song.mp3.xmp'],
    ['a stem with dots', 'our.trip.1.jpg, our.trip.1.xmp, our.trip.1.jpg.xmp'],
    ['what bk had to give another name', 'a (conflict nas 2020-01-02).CR2, a (conflict nas 2020-01-02).jpg'],
  ])('are together: %s', (_what, list) => {
    expect(groupsOf(names(list))).toEqual([list]);
  });

  test.each([
    ['another picture', 'IMG_1.CR2, IMG_2.JPG'],
    ['another letter case of the stem', 'img_1.CR2, IMG_1.JPG'],
    ['another longer stem', 'IMG_1.CR2, IMG_1-edited.JPG, IMG_10.xmp, IMG_E1.AAE'],
    ['kinds that are not known to belong together', 'song.mp3, song.flac, song.txt, song.jpg'],
    ['a sidecar named after a stem whose file has another ending', 'song.mp3, song.xmp'],
    ['endings that are a whole name', '.jpg, .xmp, .CR2'],
    ['only one ending is taken away', 'a.jpg.jpg, a.CR2'],
    ['a sidecar of a sidecar', 'a.xmp.xmp, a.jpg'],
    ['no endings at all', 'xmp, jpg, acr2'],
  ])('are not: %s', (_what, list) => {
    expect(groupsOf(names(list))).toEqual([]);
  });
});

const stem = fc.constantFrom('a', 'A', 'b', 'a.b', 'é', '%FF', 'IMG 1', 'a (recovered 2020-01-01)');
const ending = fc.constantFrom(
  '',
  '.jpg',
  '.JPG',
  '.cr2',
  '.mov',
  '.xmp',
  '.cr2.xmp',
  '.jpg.XMP',
  '.txt',
  '.txt.xmp',
);
const name = fc.tuple(stem, ending).map((parts) => parts.join('') as EncodedName);
const path = fc
  .tuple(fc.constantFrom('', 'd/', 'd.jpg/', 'd/d/'), name)
  .map((parts) => parts.join('') as RepoPath);

describe('properties', () => {
  test('groups part the names: whoever is in a group has the same group as all in it, and nobody else', () => {
    fc.assert(
      fc.property(fc.uniqueArray(name), (list) => {
        const groups = groupCompanions(list);
        for (const one of list)
          for (const other of list) {
            const isTogether = one !== other && companionStem(one) === companionStem(other);
            expect(one !== other && (groups.get(one)?.includes(other) ?? false)).toBe(isTogether);
          }
        for (const group of groups.values()) for (const one of group) expect(groups.get(one)).toBe(group);
      }),
    );
  });

  test('neither the order nor other files matter', () => {
    const shuffled = fc
      .uniqueArray(name)
      .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all)));
    fc.assert(
      fc.property(shuffled, ([all, some]) => {
        const [whole, part] = [groupCompanions(all), groupCompanions(some)];
        for (const one of some) {
          const expected = whole.get(one)?.filter((other) => some.includes(other)) ?? [one];
          expect([...(part.get(one) ?? [one])].sort()).toEqual([...expected].sort());
        }
      }),
    );
  });

  test('files of two folders are never companions', () => {
    fc.assert(
      fc.property(path, path, (one, other) => {
        if (companionStemAt(one) === companionStemAt(other)) expect(parentOf(one)).toBe(parentOf(other));
      }),
    );
  });
});
