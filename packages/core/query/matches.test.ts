import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesPath } from './glob.ts';
import { matchesQuery, type Surroundings } from './matches.ts';
import { parseQuery } from './parse-query.ts';
import {
  CLOCK,
  factsOf,
  type Given,
  givenArbitrary,
  pathArbitrary,
  queryArbitrary,
} from './query.fixture.ts';
import { fold, hasWords, wordsOf } from './words.ts';

const around: Surroundings = {
  isPresent: ({ path }) => path !== 'gone',
  copies: () => 1,
  isOn: (repository) => repository === 'disk2',
  isDuplicate: (of) => of === 'exact',
};
const finds = (query: string, given: Given): boolean =>
  matchesQuery(parseQuery(query, CLOCK), factsOf(given), around);

const photo: Given = {
  path: 'Pictures/Sommer Köln/DSCF0042.RAF',
  size: 20_000_000,
  content: 'c0',
  media: {
    kind: 'image',
    mime: 'image/x-fujifilm-raf',
    taken: '2019-08-24T23:30:00+02:00',
    width: 4000,
    height: 3000,
    camera: { make: 'FUJIFILM', model: 'X30' },
    keywords: ['Oma'],
    gps: { latitude: 50.9, longitude: 6.9 },
    rating: 2,
  },
  attrs: {
    title: 'Am Rhein',
    tags: ['New York', 'kids'],
    people: ['Ännchen Müller'],
    rating: 4,
    place: 'Köln',
  },
};
const song: Given = {
  path: 'Music/Aria.flac',
  media: { kind: 'audio', artist: ['Johann Sebastian Bach'], album: 'Goldberg', duration: 225, year: 1981, audio: { codec: 'flac' } },
}; // biome-ignore format: a record

test.each<[Given, string, string]>([
  [
    photo,
    'camera:X30 taken:2019 tag:kids size:>5MB copies:<2 not:on:disk3 *.raf',
    'camera:X20 taken:2018 tag:kid size:>50MB copies:>1 on:disk3 *.jpg',
  ],
  [photo, 'koln KÖLN sommer "sommer köln" dscf0042.r rhe', 'ommer "rhe" "köln dscf0042" york.new'],
  [photo, 'folder:köln name:dscf0042 name:*42.raf path:pictures', 'folder:dscf0042 name:köln path:köln'],
  [photo, 'Pictures/*/*.raf **/*.raf pictures/som*', 'Pictures/*.raf *2.ra Köln/*'],
  [photo, 'tag:"new york" tag:oma tag:new person:annchen title:rhein', 'tag:"york kids" person:oma title:köln'],
  [photo, 'type:image type:raf type:file type:image/x-fujifilm-raf ext:raf', 'type:video type:link ext:ra'],
  [photo, 'rating:4 rating:>=4 width:4000 height:<3001 gps:yes attr.place:Köln', 'rating:2 gps:no attr.city:köln'],
  [photo, 'taken:2019-08-24 taken:2019-08-24T23:30 taken:>2019-08-23 year:2019', 'taken:2019-08-25 taken:>2019'],
  [photo, 'hash:c0c0 id:00000000-0000-7000 is:present is:duplicate', 'hash:abab is:absent is:deleted conflict:yes'],
  [photo, 'camera:"fujifilm x30" entity:no text:köln', 'camera:"x30 fujifilm" entity:yes text:kids duration:0..'],
  [song, 'artist:bach artist:"sebastian bach" album:gold* duration:3:45 year:1981', 'artist:johannes year:2019'],
  [song, 'type:audio codec:flac -type:image (album:x or album:goldberg)', 'gps:yes rating:0.. tag:bach'],
  [{ path: 'IMG_1.jpg' }, 'type:image type:jpeg IMG 1', 'type:image/jpeg taken:2019'],
  [{ path: 'gone' }, 'is:absent', 'is:present'],
  [{ path: 'gone', deleted: true }, 'is:deleted', 'is:present is:absent'],
  [{ size: 0 }, 'size:0', 'copies:0.. copies:<2'],
  [{ link: true }, 'type:link', 'type:file copies:<2 type:image'],
  [{ conflict: 'case' }, 'conflict:yes conflict:case', 'conflict:no conflict:content'],
  [{ mtime: '2026-10-13T21:59:59.999999999Z' }, 'modified:yesterday modified:<today', 'modified:today modified:today..'],
  [
    { entity: { ...factsOf({}).record, type: 'dir', entity: 'album', attrs: { title: 'Zoo', tags: ['kids'] } } },
    'entity:yes entity:album entity:zoo tag:kids zoo',
    'entity:no title:zoo',
  ],
])('of %j', (given, yes, no) => {
  const words = (text: string): string[] => text.match(/(?:\([^)]*\)|"[^"]*"|[^\s"])+/g) ?? [];
  expect(words(yes).filter((query) => !finds(query, given))).toEqual([]);
  expect(words(no).filter((query) => finds(query, given))).toEqual([]);
}); // biome-ignore format: tables

test('negation, both and either are what logic says', () => {
  const file = fc.tuple(pathArbitrary, givenArbitrary).map(([path, given]) => ({ ...given, path }));
  fc.assert(
    fc.property(queryArbitrary, queryArbitrary, file, (a, b, given) => {
      expect(finds(`not:(${a})`, given)).toBe(!finds(a, given));
      expect(finds(`(${a}) (${b})`, given)).toBe(finds(a, given) && finds(b, given));
      expect(finds(`${a} or ${b}`, given)).toBe(finds(a, given) || finds(b, given));
    }),
    { numRuns: 500 },
  );
});

test('words are found in whatever they were taken from', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), fc.nat(), (text, start, length) => {
      const words = wordsOf(text);
      const some = words.slice(start % (words.length + 1)).slice(0, 1 + (length % 3));
      fc.pre(some.length > 0);
      expect(hasWords(text, some, false)).toBe(true);
      expect(hasWords(text, [...some.slice(0, -1), some.at(-1)!.slice(0, 1)], true)).toBe(true);
    }),
  );
});

test.each([
  ['Straße ÉTÉ', ['straße', 'ete']],
  ['IMG_0042.jpg', ['img', '0042', 'jpg']],
  ['हिन्दी', ['हिन्दी']],
  ['ﬁlm', ['film']],
  ['…', []],
])('the words of %s', (text, expected) => {
  expect(wordsOf(text)).toEqual(expected);
});

test('patterns of paths, against the regular expressions that they mean', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '😀'), minLength: 1, maxLength: 3 });
  const segment = fc.oneof(
    fc.constant('**'),
    fc
      .string({ unit: fc.constantFrom('a', 'b', '😀', '*', '?'), minLength: 1, maxLength: 4 })
      .filter((one) => one !== '**'),
  );
  const paths = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
  const patterns = fc.array(segment, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
  fc.assert(
    fc.property(patterns, paths, (pattern, path) => {
      const source = pattern
        .split('/')
        .map((one) =>
          one === '**' ? '(?:[^/]+/)*' : `${one.replace(/\*+/g, '[^/]*').replaceAll('?', '[^/]')}/`,
        )
        .join('');
      expect(matchesPath(pattern, path)).toBe(new RegExp(`^${source}`, 'u').test(`${path}/`));
    }),
    { numRuns: 2_000 },
  );
});

test('what is compared knows neither case nor accents', () => {
  expect(fold('ÀÉÎÕÜç Ｆｏｔｏ')).toBe('aeiouc foto');
});
