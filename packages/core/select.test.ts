import { describe, expect, test } from 'vitest';
import { fakeHash } from './disk.fixture.ts';
import {
  idlePatterns,
  narrowing,
  newObjectId,
  parseSubset,
  type Rec,
  type RecordAt,
  type RepoPath,
  selectorFor,
  selectTree,
  wholesOf,
} from './index.ts';

const id = newObjectId(1, new Uint8Array(10));
const file = (path: string, content = path): RecordAt => ({
  path: path as RepoPath,
  record: { v: 1, id, type: 'file', blake3: fakeHash(content), size: content.length, mode: '0644' },
});
const folder = (path: string, more: Partial<Rec> = {}): RecordAt => ({
  path: path as RepoPath,
  record: { v: 1, id, type: 'dir', mode: '0755', ...more },
});
const link = (path: string, target: string): RecordAt => ({
  path: path as RepoPath,
  record: { v: 1, id, type: 'symlink', blake3: fakeHash(target), size: target.length, mode: '0777', target },
});
const pathsOf = (entries: readonly RecordAt[]) => entries.map(({ path }) => path);

const TREE: readonly RecordAt[] = [
  folder(''),
  file('Docs/a.txt'),
  file('Docs/copy.txt', 'Pictures/1.jpg'),
  file('Pictures/1.jpg'),
  file('Pictures/2.jpg'),
  folder('Pictures/album', { entity: 'album' }),
  file('Pictures/album/3.jpg'),
  file('Pictures/album/3.raw'),
  folder('Pictures/empty'),
  file('Projects/bk/%2Egit/HEAD', 'ref'),
  file('Projects/bk/src/a.ts'),
  file('Projects/bk/vendor/x/%2Egit', 'gitdir: …'),
  file('Projects/%2Egithub/a'),
];

describe('wholesOf', () => {
  test('records that say so, and owners of a .git; never the root', () => {
    expect([...wholesOf(TREE).roots]).toEqual(['Pictures/album', 'Projects/bk', 'Projects/bk/vendor/x']);
    expect([...wholesOf([folder('', { entity: 'project' }), file('%2Egit/HEAD')]).roots]).toEqual([]);
    expect(wholesOf(TREE).filesIn('Pictures/album' as RepoPath)).toEqual(pathsOf(TREE.slice(6, 8)));
    expect(wholesOf(TREE).namesIn?.('Pictures' as RepoPath)).toEqual(['1.jpg', '2.jpg']);
  });
});

describe('selectTree', () => {
  test('the parts that are wanted, entities whole', () => {
    const { wanted, outside } = selectTree(TREE, parseSubset(['Pictures', '**/*.ts'], ['**/*.raw']));
    expect(pathsOf(wanted)).toEqual(['', ...pathsOf(TREE.slice(3, 12))]);
    expect(pathsOf(outside)).toEqual(['Docs/a.txt', 'Docs/copy.txt', 'Projects/%2Egithub/a']);
  });

  test('misspelled patterns are found', () => {
    const subset = parseSubset(['Pictures', 'pictures', 'Pictures/empty/'], ['**/*.raw', '**/*.tiff']);
    expect(idlePatterns(TREE, subset)).toEqual(['pictures', '**/*.tiff']);
  });
});

describe('narrowing (P05, P06)', () => {
  const all = selectorFor(parseSubset([], []), TREE);
  const pictures = selectorFor(parseSubset(['Pictures'], []), TREE);
  const docs = selectorFor(parseSubset(['Docs'], []), TREE);

  test('to a part: the rest leaves, and needs proof', () => {
    const { leaving, coming, contents } = narrowing(TREE, { before: all, after: docs });
    expect(pathsOf(leaving)).toEqual(pathsOf(TREE.slice(3)));
    expect(coming).toEqual([]);
    expect(contents.map(({ paths }) => paths)).toEqual(
      ['Pictures/2.jpg', 'Pictures/album/3.jpg', 'Pictures/album/3.raw', ...pathsOf(TREE.slice(9))].map(
        (path) => [path],
      ),
    );
    expect(contents[0]).toEqual({ blake3: fakeHash('Pictures/2.jpg'), size: 14, paths: ['Pictures/2.jpg'] });
  });

  test('a content that stays under another path needs no proof; one of two leaving paths needs one', () => {
    const entries = [
      file('a/1', 'x'),
      file('a/2', 'x'),
      file('b/1', 'y'),
      file('c/1', 'y'),
      file('c/2', 'x'),
    ];
    const before = selectorFor(parseSubset(['a', 'b', 'c'], []), entries);
    const after = selectorFor(parseSubset(['b'], []), entries);
    expect(narrowing(entries, { before, after }).contents).toEqual([
      { blake3: fakeHash('x'), size: 1, paths: ['a/1', 'a/2', 'c/2'] },
    ]);
  });

  test('empty files and symlinks leave without proof', () => {
    const entries = [file('a/empty', ''), link('a/link', '../b'), file('b/1')];
    const before = selectorFor(parseSubset([], []), entries);
    const after = selectorFor(parseSubset(['b'], []), entries);
    const found = narrowing(entries, { before, after });
    expect(pathsOf(found.leaving)).toEqual(['a/empty', 'a/link']);
    expect(found.contents).toEqual([]);
  });

  test('widening only adds', () => {
    const found = narrowing(TREE, { before: docs, after: all });
    expect(found.leaving).toEqual([]);
    expect(pathsOf(found.coming)).toEqual(pathsOf(TREE.slice(3)));
  });

  test('what is really here decides: missing files come, files made outside both stay', () => {
    const here = new Set(['Docs/a.txt', 'Pictures/1.jpg', 'Projects/bk/src/a.ts']);
    const found = narrowing(TREE, { before: pictures, after: docs, isHere: ({ path }) => here.has(path) });
    expect(pathsOf(found.leaving)).toEqual(['Pictures/1.jpg']);
    expect(pathsOf(found.coming)).toEqual(['', 'Docs/copy.txt']);
    expect(pathsOf(found.contents.flatMap(({ paths }) => paths.map((path) => file(path))))).toEqual([
      'Pictures/1.jpg',
    ]);
  });
});
