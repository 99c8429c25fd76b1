import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeHash } from './disk.fixture.ts';
import { type CardFile, type ContentHash, coverageOf, EMPTY_CONTENT, firstOfEach, mayWipe } from './index.ts';

const file = (path: string, content: string): CardFile => ({
  path,
  blake3: fakeHash(content),
  size: content.length,
});
const known = (volumes: Readonly<Record<string, readonly string[]>>) => (content: ContentHash) =>
  Object.entries(volumes)
    .filter(([text]) => fakeHash(text) === content)
    .flatMap(([, names]) => names.map((volume) => ({ volume })));

describe('coverageOf', () => {
  const card = [
    file('DCIM/known', 'k1'),
    file('DCIM/renamed', 'k22'),
    file('DCIM/new', 'n333'),
    file('DCIM/new again', 'n333'),
    file('DCIM/rotten', 'k1 rotten'),
    file('empty', ''),
    file('only here', 'o'),
  ];
  const holders = known({ k1: ['disk1', 'disk2'], k22: ['disk2', 'disk2', 'card'], o: ['card'] });

  test('known, renamed, unique, rotten, known only on its own volume', () => {
    const found = coverageOf(card, { holders, volume: 'card', min: 1 });
    expect(found).toEqual({
      files: 7,
      bytes: 23,
      covered: { files: 3, bytes: 5 },
      under: [],
      unique: [card[2], card[3], card[4], card[6]],
      contents: { files: 3, bytes: 14 },
    });
    expect(mayWipe(found, [])).toBe(false);
    expect(firstOfEach(found.unique).map(({ path }) => path)).toEqual([
      'DCIM/new',
      'DCIM/rotten',
      'only here',
    ]);
  });

  test('too few copies', () => {
    const found = coverageOf(card, { holders, volume: 'card', min: 2 });
    expect(found.under).toEqual([{ path: 'DCIM/renamed', copies: 1 }]);
    expect(found.covered).toEqual({ files: 2, bytes: 2 });
  });

  test('a min below 1 still asks for one copy (L08)', () => {
    for (const min of [0, -1])
      expect(coverageOf([file('a', 'a')], { holders: () => [], min }).unique).toHaveLength(1);
  });

  test('symlinks are looked up by their target, empty files are safe', () => {
    const link: CardFile = { path: 'link', type: 'symlink', blake3: fakeHash('target'), size: 6 };
    const empty: CardFile = { path: 'empty', blake3: EMPTY_CONTENT, size: 0 };
    const without = coverageOf([link, empty], { holders: () => [], min: 3 });
    expect(without.unique.map(({ path }) => path)).toEqual(['link']);
    expect(without.covered.files).toBe(1);
    expect(coverageOf([link], { holders: known({ target: ['disk'] }), min: 1 }).unique).toEqual([]);
  });

  test('may be wiped only if nothing was left unseen', () => {
    const found = coverageOf([file('a', 'k1')], { holders, volume: 'card', min: 1 });
    expect([mayWipe(found, []), mayWipe(found, ['unreadable'])]).toEqual([true, false]);
    expect(mayWipe(coverageOf(card, { holders: () => [{ volume: 'x' }], min: 2 }), [])).toBe(false);
  });

  test('each content is looked up once, and every file is in exactly one list', () => {
    const content = fc.constantFrom('', 'a', 'bb', 'ccc', 'dddd');
    const places = fc.dictionary(content, fc.array(fc.constantFrom('own', 'v1', 'v2', 'v3')));
    fc.assert(
      fc.property(fc.array(content), places, fc.integer({ min: 1, max: 3 }), (contents, volumes, min) => {
        const files = contents.map((text, i) => file(`${i}`, text));
        const asked: ContentHash[] = [];
        const holdersOf = known(volumes);
        const found = coverageOf(files, {
          holders: (hash) => {
            asked.push(hash);
            return holdersOf(hash);
          },
          volume: 'own',
          min,
        });
        expect(new Set(asked).size).toBe(asked.length);
        expect(found.covered.files + found.under.length + found.unique.length).toBe(files.length);
        const copies = (text: string) =>
          new Set((volumes[text] ?? []).filter((volume) => volume !== 'own')).size;
        const safe = contents.filter((text) => text === '' || copies(text) >= min);
        expect(found.covered.files).toBe(safe.length);
        expect(found.unique.length).toBe(contents.filter((text) => text !== '' && copies(text) === 0).length);
      }),
      { numRuns: 500 },
    );
  });
});
