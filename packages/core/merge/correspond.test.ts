import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_CONTENT } from '../evidence.ts';
import type { ContentHash } from '../ids.ts';
import { isInside, type RepoPath } from '../path.ts';
import { correspondences } from './correspond.ts';
import type { ContentAt } from './folder-contents.ts';

/** Files as `path: content`; '' is an empty file, `->x` a link. */
type Tree = Readonly<Record<string, string>>;

const filesOf = (tree: Tree): ContentAt[] =>
  Object.entries(tree).map(([path, content]) => ({
    path: path as RepoPath,
    type: content.startsWith('->') ? 'symlink' : 'file',
    blake3: content === '' ? EMPTY_CONTENT : (content as ContentHash),
    size: content.length,
  }));

/** `count` files in a folder: `p1.jpg` with the content `p1` … */
const photos = (folder: string, of: string, count: number, first = 1): Tree =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => `${of}${first + i}`).map((content) => [
      `${folder}${folder && '/'}${content}.jpg`,
      content,
    ]),
  );

const found = (ours: Tree, theirs: Tree): string[] =>
  correspondences(filesOf(ours), filesOf(theirs)).map(
    ({ theirs, ours, files, equal, unique, share }) =>
      `${theirs} ${Math.round(share * 100)} % of ${ours}, ${files} files, ${equal} equal, ${unique} unique`,
  );

describe('correspondences', () => {
  const PICTURES = { ...photos('Pictures/2014', 'p', 400), ...photos('Pictures/2015', 'q', 300) };
  const OURS = { ...PICTURES, ...photos('Music/Bach', 'm', 50), 'letter.txt': 'dear' };

  it.each<[string, Tree, Tree, string[]]>([
    ['nothing in common', OURS, photos('x', 'x', 10), []],
    ['nothing at all', {}, {}, []],
    [
      'a folder under another name, the example of the specification',
      OURS,
      { ...photos('Fotos_alt', 'p', 369), ...photos('Fotos_alt', 'u', 31, 500) },
      ['Fotos_alt 92 % of Pictures/2014, 400 files, 369 equal, 31 unique'],
    ],
    [
      'the highest folder for which it holds, not each in it again',
      { ...photos('Pictures/2014/05', 'a', 30), ...photos('Pictures/2014/06', 'b', 20), 'x/letter': 'l' },
      { ...photos('Fotos/Mai', 'a', 30), ...photos('Fotos/Juni', 'b', 20), 'y/z': 'z' },
      ['Fotos 100 % of Pictures/2014, 50 files, 50 equal, 0 unique'],
    ],
    [
      'of folders that hold nothing but one another the innermost, on both sides',
      { ...photos('home/ada/Pictures', 'p', 9) },
      { ...photos('old/disk/Fotos', 'p', 9) },
      ['old/disk/Fotos 100 % of home/ada/Pictures, 9 files, 9 equal, 0 unique'],
    ],
    [
      'folders that went to several places are told one by one',
      { ...OURS, ...photos('rest', 'r', 5000) },
      { ...photos('alt/Bilder', 'p', 50), ...photos('alt/Musik', 'm', 50), ...photos('alt/neu', 'n', 5) },
      [
        'alt/Bilder 100 % of Pictures/2014, 50 files, 50 equal, 0 unique',
        'alt/Musik 100 % of Music/Bach, 50 files, 50 equal, 0 unique',
      ],
    ],
    [
      'not that a folder is all over ours, if its folders say where',
      OURS,
      { ...photos('alt/Bilder', 'p', 50), ...photos('alt/Musik', 'm', 50), 'y/z': 'z' },
      [
        'alt/Bilder 100 % of Pictures/2014, 50 files, 50 equal, 0 unique',
        'alt/Musik 100 % of Music/Bach, 50 files, 50 equal, 0 unique',
      ],
    ],
    [
      'a flat folder of what we sorted into several',
      { ...photos('P/2013', 'a', 40), ...photos('P/2014', 'b', 45), ...photos('Q', 'q', 900) },
      { ...photos('alles', 'a', 40), ...photos('alles', 'b', 45), 'alles/new': 'n', 'other/x': 'x' },
      ['alles 99 % of P, 86 files, 85 equal, 1 unique'],
    ],
    [
      'our folder may be far greater',
      { ...photos('pool', 'p', 5000), ...photos('rest', 'r', 9000) },
      { ...photos('card', 'p', 60), ...photos('card', 'u', 40, 100), 'other/x': 'x' },
      ['card 60 % of pool, 100 files, 60 equal, 40 unique'],
    ],
    ['less than half', OURS, { ...photos('x', 'p', 49), ...photos('x', 'u', 51, 100) }, []],
    [
      'exactly half',
      OURS,
      { ...photos('x', 'p', 50), ...photos('x', 'u', 50, 100) },
      ['x 50 % of Pictures/2014, 100 files, 50 equal, 50 unique'],
    ],
    ['one equal file says nothing', OURS, { 'x/a': 'p1' }, []],
    ['nor do two files of one content', OURS, { 'x/a': 'p1', 'x/b': 'p1' }, []],
    [
      'empty files and links say nothing and are not counted',
      { ...photos('a', 'p', 4), 'a/e': '', 'a/f': '', 'a/l': '->m', 'a/m': '->x', 'b/x': 'x' },
      { ...photos('z', 'p', 4), 'z/e': '', 'z/l': '->m', 'y/e': '', 'y/f': '', 'y/l': '->m', 'y/m': '->x' },
      ['z 100 % of a, 4 files, 4 equal, 0 unique'],
    ],
    [
      'a thousand equal files are one content: they neither make a folder correspond …',
      Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`thumbs/${i}`, 'same'])),
      {
        ...photos('x', 'u', 5),
        ...Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x/t${i}`, 'same'])),
      },
      [],
    ],
    [
      '… nor hide to which one it does; but they are counted',
      {
        ...photos('good', 'p', 10),
        'good/thumb': 'same',
        ...Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`t${i}/x`, 'same'])),
      },
      {
        ...photos('x', 'p', 10),
        'x/new': 'n',
        ...Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`x/t${i}`, 'same'])),
      },
      ['x 99 % of good, 110 files, 109 equal, 1 unique'],
    ],
    [
      'of two copies of ours the one with the same name',
      { ...photos('a', 'p', 5), ...photos('backup/Fotos', 'p', 5) },
      { ...photos('x/Fotos', 'p', 5), 'y/z': 'z' },
      ['x/Fotos 100 % of backup/Fotos, 5 files, 5 equal, 0 unique'],
    ],
    [
      'else the shorter path',
      { ...photos('backup/a', 'p', 5), ...photos('b', 'p', 5), ...photos('c', 'p', 5) },
      { ...photos('x', 'p', 5) },
      ['x 100 % of b, 5 files, 5 equal, 0 unique'],
    ],
    [
      'the same path is preferred, and told once for all that is alike in it',
      { ...PICTURES, ...photos('Backup/2014', 'p', 400), ...photos('Backup/2015', 'q', 300) },
      {
        ...photos('Pictures/2014', 'p', 399),
        'Pictures/2014/new': 'n',
        ...photos('Pictures/2015', 'q', 300),
      },
      ['Pictures 100 % of Pictures, 700 files, 699 equal, 1 unique'],
    ],
    [
      'in a folder at the same path, what was moved is told too',
      { ...PICTURES, ...photos('Pictures/Norway', 'n', 20) },
      { ...PICTURES, ...photos('Pictures/Norwegen', 'n', 20) },
      [
        'Pictures 100 % of Pictures, 720 files, 720 equal, 0 unique',
        'Pictures/Norwegen 100 % of Pictures/Norway, 20 files, 20 equal, 0 unique',
      ],
    ],
    [
      'the whole is left out where its folders say it all',
      OURS,
      { ...photos('Fotos', 'p', 100), ...photos('Musik', 'm', 20), ...photos('x', 'u', 30) },
      [
        'Fotos 100 % of Pictures/2014, 100 files, 100 equal, 0 unique',
        'Musik 100 % of Music/Bach, 20 files, 20 equal, 0 unique',
      ],
    ],
    [
      'all of a disk can be a folder of ours',
      OURS,
      { ...photos('', 'p', 100), ...photos('more', 'p', 100, 101) },
      [' 100 % of Pictures/2014, 200 files, 200 equal, 0 unique'],
    ],
    [
      'a folder of the disk can be all of ours',
      { ...photos('2014', 'p', 100), ...photos('2015', 'q', 100) },
      { ...photos('Fotos/2014', 'p', 100), ...photos('Fotos/2015', 'q', 90), ...photos('x', 'x', 9) },
      ['Fotos 100 % of , 190 files, 190 equal, 0 unique'],
    ],
  ])('%s', (_, ours, theirs, expected) => {
    expect(found(ours, theirs)).toEqual(expected);
  });

  it('does not grow with the square of equal files: each in a folder of its own on both sides', () => {
    const many = (of: string): Tree =>
      Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`${of}/${i}/x`, 'same']));
    const ours = { ...many('a'), ...photos('p', 'p', 3) };
    expect(found(ours, { ...many('b'), ...photos('q', 'p', 3) })).toEqual([
      'q 100 % of p, 3 files, 3 equal, 0 unique',
    ]);
  });

  it('does not grow with the square of the depth', () => {
    const deep = (name: string): Tree =>
      Object.fromEntries(
        Array.from({ length: 1900 }, (_, i) => [`${`${name}/`.repeat(i + 1)}x`, `deep ${i}`] as const),
      );
    const [one] = correspondences(filesOf(deep('a')), filesOf(deep('b')));
    expect(one).toEqual({ theirs: 'b', ours: 'a', files: 1900, equal: 1900, unique: 0, share: 1 });
  });

  const path = fc.stringMatching(/^([abc]\/){0,3}[x-z]{1,2}$/);
  const tree = fc.dictionary(path, fc.constantFrom('1', '2', '3', '4', '5', '6', '7', '8', '9', '', '->1'), {
    maxKeys: 24,
  });

  it('figures are what they say, and every rule of telling holds', () => {
    fc.assert(
      fc.property(tree, tree, (ours, theirs) => {
        const told = correspondences(filesOf(ours), filesOf(theirs));
        const evidence = (of: Tree) =>
          Object.entries(of).filter(([, content]) => content !== '' && !content.startsWith('->'));
        const below = (of: Tree, folder: RepoPath) =>
          evidence(of).filter(([at]) => isInside(at as RepoPath, folder));
        const all = new Set(evidence(ours).map(([, content]) => content));
        for (const one of told) {
          const here = new Set(below(ours, one.ours).map(([, content]) => content));
          const files = below(theirs, one.theirs);
          expect(one.files).toBe(files.length);
          expect(one.equal).toBe(files.filter(([, content]) => here.has(content)).length);
          expect(one.unique).toBe(files.filter(([, content]) => !all.has(content)).length);
          expect(one.share).toBe(one.equal / one.files);
          expect(one.share).toBeGreaterThanOrEqual(0.5);
          const above = told.filter((other) => other !== one && isInside(one.theirs, other.theirs));
          for (const outer of above) {
            expect(outer.theirs).toBe(outer.ours);
            expect(one.theirs).not.toBe(one.ours);
          }
        }
        expect(told.map(({ files }) => files)).toEqual(told.map(({ files }) => files).sort((a, b) => b - a));
      }),
      { numRuns: 2000 },
    );
  });

  it('does not depend on the order of the input', () => {
    fc.assert(
      fc.property(tree, tree, fc.infiniteStream(fc.nat()), (ours, theirs, random) => {
        const shuffled = (of: Tree) =>
          filesOf(of)
            .map((file) => [random.next().value as number, file] as const)
            .sort(([a], [b]) => a - b)
            .map(([, file]) => file);
        expect(correspondences(shuffled(ours), shuffled(theirs))).toEqual(
          correspondences(filesOf(ours), filesOf(theirs)),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('a folder that was only renamed is always found', () => {
    fc.assert(
      fc.property(tree, (whole) => {
        const contents = Object.values(whole).filter((content) => content !== '' && content !== '->1');
        fc.pre(new Set(contents).size >= 2);
        const moved = Object.fromEntries(
          Object.entries(whole).map(([at, content]) => [`old/${at}`, content]),
        );
        const told = correspondences(filesOf(whole), filesOf(moved));
        expect(told.length).toBeGreaterThan(0);
        expect(told.reduce((sum, { unique }) => sum + unique, 0)).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});
