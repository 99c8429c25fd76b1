import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  companionStemAt,
  isInside,
  nameOf,
  parentOf,
  parseSubset,
  type RepoPath,
  type Selector,
  type Subset,
  selectorOf,
} from './index.ts';

const p = (text: string) => text as RepoPath;

/** What SPEC 5 says, straight: some folder above the path, or the path itself, fits the whole pattern. */
function plainlyWants({ include, exclude }: Subset, path: string): boolean {
  const isHit = (pattern: string) => partsOf(path).some((part) => fits(pattern, part, part !== path));
  return (include.length === 0 || include.some(isHit)) && !exclude.some(isHit);
}

function partsOf(path: string): string[] {
  const names = path.split('/');
  return names.map((_, i) => names.slice(0, i + 1).join('/'));
}

function fits(pattern: string, path: string, isFolder: boolean): boolean {
  if (pattern.endsWith('/') && !isFolder) return false;
  const names = pattern.replace(/\/$/, '').split('/');
  const source = names.map((name, i) => {
    const last = i === names.length - 1;
    if (name === '**') return last ? '[^]+' : '(?:[^/]+/)*';
    return `${name.replaceAll('[!', '[^/').replaceAll('.', '\\.').replaceAll('*', '[^/]*').replaceAll('?', '[^/]')}${last ? '' : '/'}`;
  });
  return new RegExp(`^${source.join('')}$`, 'u').test(path);
}

const name = fc.constantFrom('a', 'b', 'c', 'ab', 'x.a');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => p(names.join('/')));
const segment = fc.oneof(name, fc.constantFrom('*', '**', '?', 'a*', '*.a', '[ab]', '[!a]'));
/** The plain reading takes `**` twice as one, so that is left to the table of patterns. */
const pattern = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([segments, slash]) => segments.join('/') + (slash ? '/' : ''))
  .filter((text) => !text.includes('**/**'));
const subset = fc
  .tuple(fc.array(pattern, { maxLength: 3 }), fc.array(pattern, { maxLength: 2 }))
  .map(([include, exclude]) => parseSubset(include, exclude));
const tree = fc.array(path, { minLength: 1, maxLength: 25 }).map((paths) => {
  const folders = new Set(paths.flatMap((file) => partsOf(file).slice(0, -1)));
  return [...new Set(paths)].filter((file) => !folders.has(file));
});

function foldersOf(files: readonly RepoPath[]): RepoPath[] {
  const folders = new Set<RepoPath>([p('')]);
  for (const file of files)
    for (let folder = parentOf(file); folder !== ''; folder = parentOf(folder)) folders.add(folder);
  return [...folders];
}

function expectWalkable(selector: Selector, files: readonly RepoPath[]): void {
  for (const folder of foldersOf(files)) {
    const below = files.filter((file) => isInside(file, folder));
    if (!selector.mayContain(folder))
      expect(
        below.filter((file) => selector.wants(file)),
        folder,
      ).toEqual([]);
    if (selector.covers(folder))
      expect(
        below.filter((file) => !selector.wants(file)),
        folder,
      ).toEqual([]);
    if (selector.covers(folder)) expect(selector.mayContain(folder)).toBe(true);
  }
}

describe('a selector', () => {
  test('wants what the patterns say, in any order of asking', () => {
    fc.assert(
      fc.property(subset, fc.array(path, { maxLength: 30 }), (wanted, paths) => {
        const selector = selectorOf(wanted);
        for (const file of paths) expect(selector.wants(file), file).toBe(plainlyWants(wanted, file));
      }),
      { numRuns: 3000 },
    );
  });

  test('mayContain and covers agree with wants', () => {
    fc.assert(
      fc.property(subset, tree, (wanted, files) => expectWalkable(selectorOf(wanted), files)),
      {
        numRuns: 3000,
      },
    );
  });

  test.each<[string[], string[], string, boolean, boolean]>([
    [[], [], '', true, true],
    [['a'], [], '', true, false],
    [['a'], [], 'a', true, true],
    [['a'], [], 'b', false, false],
    [['a/b'], [], 'a', true, false],
    [['a/b'], [], 'a/b/c', true, true],
    [['a/b'], [], 'a/c', false, false],
    [['a/*'], [], 'a', true, true],
    [['a/**'], [], 'a', true, true],
    [['**/*.a'], [], 'b/c', true, false],
    [[], ['a'], 'a', false, false],
    [[], ['a'], 'b', true, true],
    [[], ['a/b'], 'a', true, false],
    [['a'], ['a/**'], 'a', false, false],
    [['a'], ['**/x'], 'a', true, false],
    [[], ['**'], '', false, false],
  ])(
    'include %j, exclude %j, folder %j: may contain %s, covers %s',
    (include, exclude, folder, some, all) => {
      const selector = selectorOf(parseSubset(include, exclude));
      expect([selector.mayContain(p(folder)), selector.covers(p(folder))]).toEqual([some, all]);
    },
  );

  test('the root itself is always wanted', () => {
    expect(selectorOf(parseSubset(['a'], ['**'])).wants(p(''), true)).toBe(true);
  });

  test('overlapping subsets: each excludes for itself only (P08, P09)', () => {
    const [one, two] = [parseSubset(['Pictures'], ['Pictures/raw']), parseSubset(['Pictures', 'Docs'], [])];
    const files = ['Pictures/a', 'Pictures/raw/b', 'Docs/c'].map(p);
    expect(files.filter((file) => selectorOf(one).wants(file))).toEqual(['Pictures/a']);
    expect(files.filter((file) => selectorOf(two).wants(file))).toEqual(files);
  });
});

/** Without the patterns that take all inside but not the root itself; the table has those. */
function expectWhole(selector: Selector, subset: Subset, root: RepoPath, files: readonly RepoPath[]): void {
  const inside = files.filter((file) => isInside(file, root));
  const taken = selector.wants(root, true);
  expect(inside.filter((file) => selector.wants(file) !== taken)).toEqual([]);
  const included = inside.some((file) => plainlyWants({ ...subset, exclude: [] }, file));
  const isOut = (file: string) => !plainlyWants({ include: [], exclude: subset.exclude }, file);
  if (isOut(root)) expect(taken).toBe(false);
  if (!included) expect(taken).toBe(false);
  if (included && !inside.some(isOut)) expect(taken).toBe(true);
}

describe('entities are never cut', () => {
  const files = [
    'Projects/bk/src/a.ts',
    'Projects/bk/doc/b.md',
    'Projects/other/c.ts',
    'Pictures/album/d.jpg',
  ].map(p);
  const roots = ['Projects/bk', 'Projects/bk/doc', 'Pictures/album', ''].map(p);
  const filesIn = (root: RepoPath) => files.filter((file) => isInside(file, root));
  const wantedBy = (include: string[], exclude: string[]) => {
    const selector = selectorOf(parseSubset(include, exclude), { roots, filesIn });
    return files.filter((file) => selector.wants(file));
  };
  const [a, b, c, d] = files;

  test.each<[string, string[], string[], (RepoPath | undefined)[]]>([
    ['a pattern that hits inside takes the whole', ['Projects/bk/src'], [], [a, b]],
    ['also one in a nested entity', ['Projects/bk/doc'], [], [a, b]],
    ['also a wildcard', ['**/*.jpg'], [], [d]],
    ['a wildcard that hits nothing in it takes nothing', ['**/*.tiff'], [], []],
    ['a path inside that is not there takes nothing', ['Projects/bk/lib'], [], []],
    ['an exclude inside does not cut it', ['Projects'], ['Projects/bk/doc', '**/*.md'], [a, b, c]],
    ['an exclude of its root takes it out', ['Projects'], ['Projects/bk'], [c]],
    ['an exclude of a folder above takes it out', [], ['Projects'], [d]],
    ['an exclude of all that is in it takes it out', [], ['Projects/bk/**'], [c, d]],
    ['its root as a folder takes it', ['Projects/bk/'], [], [a, b]],
    ['exclude wins', ['Projects/bk/src'], ['Projects/bk'], []],
    ['outside of entities patterns cut', ['Projects'], ['Projects/other'], [a, b]],
  ])('%s', (_, include, exclude, wanted) => expect(wantedBy(include, exclude)).toEqual(wanted));

  test('for random trees: whole or not at all, walkable, and nothing else changes', () => {
    const folders = fc.array(fc.array(name, { minLength: 1, maxLength: 3 }), { maxLength: 3 });
    fc.assert(
      fc.property(subset, tree, folders, (wanted, paths, picked) => {
        const all = new Set(foldersOf(paths));
        const owned = picked.map((names) => p(names.join('/'))).filter((folder) => all.has(folder));
        const selector = selectorOf(wanted, {
          roots: owned,
          filesIn: (root) => paths.filter((file) => isInside(file, root)),
        });
        expectWalkable(selector, paths);
        const outer = owned.filter((root) => !owned.some((other) => other !== root && isInside(root, other)));
        for (const file of paths) {
          const root = outer.find((folder) => isInside(file, folder));
          if (root === undefined) expect(selector.wants(file)).toBe(plainlyWants(wanted, file));
          else expectWhole(selector, wanted, root, paths);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('files of an entity are asked for once, and not if the patterns decide without', () => {
    const asked: RepoPath[] = [];
    const count = (root: RepoPath) => {
      asked.push(root);
      return filesIn(root);
    };
    const ask = (include: string[]) => {
      const selector = selectorOf(parseSubset(include, []), { roots, filesIn: count });
      for (const file of [...files, ...files]) selector.wants(file);
      return asked.splice(0);
    };
    expect(ask(['Projects'])).toEqual([]);
    expect(ask(['**/*.ts'])).toEqual(['Projects/bk', 'Pictures/album']);
  });
});

describe('companions go along', () => {
  const files = [
    ...[
      'trip/1.CR2',
      'trip/1.JPG',
      'trip/1.CR2.xmp',
      'trip/2.CR2',
      'trip/2.txt',
      'trip/live.HEIC',
      'trip/live.MOV',
    ],
    ...['1.JPG', 'home/1.CR2', 'home/album/3.JPG', 'home/album/3.CR2', 'home/trip.jpg'],
  ].map(p);
  const namesOf = (all: readonly RepoPath[], folder: RepoPath) =>
    all.filter((file) => parentOf(file) === folder).map(nameOf);
  const selectorIn = (all: readonly RepoPath[], wanted: Subset, asked: RepoPath[] = []) =>
    selectorOf(wanted, {
      roots: [p('home/album')],
      filesIn: (root) => all.filter((file) => isInside(file, root)),
      namesIn: (folder) => {
        asked.push(folder);
        return namesOf(all, folder);
      },
    });
  const wantedBy = (include: string[], exclude: string[]) => {
    const selector = selectorIn(files, parseSubset(include, exclude));
    return files.filter((file) => selector.wants(file));
  };

  test.each<[string, string[], string[], string[]]>([
    ['with a file that is named', ['trip/1.JPG'], [], files.slice(0, 3)],
    [
      'with a wildcard',
      ['**/*.CR2'],
      [],
      [...files.slice(0, 4), 'home/1.CR2', 'home/album/3.JPG', 'home/album/3.CR2'],
    ],
    [
      'with a sidecar, to those of another kind',
      ['trip/*.xmp', '**/*.HEIC'],
      [],
      [...files.slice(0, 3), ...files.slice(5, 7)],
    ],
    ['not into other folders', ['*.JPG'], [], ['1.JPG']],
    [
      'not to what an exclude matches',
      ['**/*.JPG'],
      ['trip/*.CR2'],
      ['trip/1.JPG', 'trip/1.CR2.xmp', '1.JPG', 'home/album/3.JPG', 'home/album/3.CR2'],
    ],
    ['not with what an exclude matches', ['trip/*.JPG'], ['**/*.JPG'], []],
    [
      'an exclude parts them where all is wanted',
      [],
      ['**/*.CR2', 'home'],
      ['trip/1.JPG', 'trip/1.CR2.xmp', ...files.slice(4, 8)],
    ],
    ['a folder has none', ['home/trip'], [], []],
    ['not with a folder of the name', ['trip'], [], files.slice(0, 7)],
  ])('%s', (_, include, exclude, wanted) => expect(wantedBy(include, exclude)).toEqual(wanted));

  test('of what is not in the tree the patterns alone decide', () => {
    const selector = selectorIn(files, parseSubset(['trip/9.JPG'], []));
    expect([selector.wants(p('trip/9.JPG')), selector.wants(p('trip/9.CR2'))]).toEqual([true, false]);
  });

  test('names are asked for only where a wildcard, or a name of the same stem, may decide, and once', () => {
    const askedBy = (include: string[], exclude: string[]) => {
      const asked: RepoPath[] = [];
      const selector = selectorIn(files, parseSubset(include, exclude), asked);
      for (const file of [...files, ...files]) selector.wants(file);
      return asked;
    };
    expect(askedBy([], [])).toEqual([]);
    expect(askedBy(['trip', 'home/album/', 'home/trip'], ['**/*.CR2'])).toEqual(['home']);
    expect(askedBy(['trip', 'home/sub', 'trip/**'], ['**/*.CR2'])).toEqual([]);
    expect(askedBy(['trip/1.JPG'], [])).toEqual(['trip']);
    expect(askedBy(['**/*.JPG'], [])).toEqual(['trip', 'home']);
  });

  test('for random trees: wanted by the patterns, or a companion of one that is, and not excluded', () => {
    const names = fc.constantFrom('a.jpg', 'a.CR2', 'a.CR2.xmp', 'b.jpg', 'b.mov', 'a', 'b', 'c');
    const paths = fc
      .array(fc.array(names, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 20 })
      .map((all) => {
        const list = all.map((parts) => p(parts.join('/')));
        const folders = new Set(foldersOf(list));
        return [...new Set(list)].filter((file) => !folders.has(file));
      });
    const segment = fc.oneof(names, fc.constantFrom('*', '**', 'a*', '*.jpg', '*.CR2', '?'));
    const patterns = fc
      .array(segment, { minLength: 1, maxLength: 3 })
      .map((segments) => segments.join('/'))
      .filter((text) => !text.includes('**/**'));
    const subsets = fc
      .tuple(fc.array(patterns, { maxLength: 3 }), fc.array(patterns, { maxLength: 2 }))
      .map(([include, exclude]) => parseSubset(include, exclude));
    fc.assert(
      fc.property(subsets, paths, (wanted, all) => {
        const selector = selectorIn(all, wanted);
        for (const file of all) {
          const isOut = !plainlyWants({ include: [], exclude: wanted.exclude }, file);
          const group = all.filter((other) => companionStemAt(other) === companionStemAt(file));
          const expected = !isOut && group.some((other) => plainlyWants(wanted, other));
          expect(selector.wants(file), file).toBe(expected);
        }
        expectWalkable(selector, all);
      }),
      { numRuns: 3000 },
    );
  });
});
