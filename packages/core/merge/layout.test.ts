import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applied, expectWhole, type Tree, treeOf } from './layout.fixture.ts';
import { type Layout, layoutMoves } from './layout.ts';

function layoutOf(chosen: Tree, other: Tree): Layout {
  const [kept, changed] = [treeOf(chosen, 'a'), treeOf(other, 'b')];
  const layout = layoutMoves(kept, changed);
  applied(kept, changed, layout);
  return layout;
}

/** `a > b`: moves; `a = b` also becomes one object; `= a` only that; `- a`: the record of a folder goes. */
const moves = (chosen: Tree, other: Tree): string[] => {
  const { moves, emptied } = layoutOf(chosen, other);
  return [
    ...moves.map(({ from, to, unified }) =>
      from === to ? `= ${to}` : `${from} ${unified === undefined ? '>' : '='} ${to}`,
    ),
    ...emptied.map((path) => `- ${path}`),
  ];
};

type Case = [string, Tree, Tree, string[]];

describe('equal contents', () => {
  it.each<Case>([
    ['nothing in common', { a: '1' }, { b: '2' }, []],
    ['a file under another name', { 'P/a': '1' }, { 'F/b': '1' }, ['F/b = P/a']],
    ['at the same path nothing moves', { 'P/a': '1' }, { 'P/a': '1' }, ['= P/a']],
    [
      'the same path first, though another is free',
      { 'P/a': '1', 'Q/a': '1' },
      { 'P/a': '1', 'F/a': '1' },
      ['F/a = Q/a', '= P/a'],
    ],
    ['surplus copies stay', { 'P/a': '1' }, { 'F/a': '1', 'F/b': '1' }, ['F/a = P/a']],
    [
      'the nearest one goes, surplus copies stay',
      { 'P/2014/a': '1' },
      { 'P/a': '1', 'F/a': '1' },
      ['P/a = P/2014/a'],
    ],
    [
      'more copies in the chosen tree: each goes to one',
      { 'P/a': '1', 'Q/a': '1' },
      { 'F/x': '1' },
      ['F/x = P/a'],
    ],
    [
      'of several places the one to which its neighbours go',
      { 'A/a': '1', 'Q/a': '1', 'Q/b': '2', 'Q/c': '3' },
      { 'F/a': '1', 'F/b': '2', 'F/c': '3' },
      ['F/a = Q/a', 'F/b = Q/b', 'F/c = Q/c'],
    ],
    [
      'two folders of one content each keep to their own',
      { 'A/1': 'x', 'A/own': 'a', 'B/1': 'x', 'B/own': 'b' },
      { 'z/1': 'x', 'z/own': 'a', 'y/1': 'x', 'y/own': 'b' },
      ['y/1 = B/1', 'y/own = B/own', 'z/1 = A/1', 'z/own = A/own'],
    ],
    ['empty files tell nothing', { 'P/a': '' }, { 'F/b': '' }, []],
    ['nor do links', { 'P/a': '->x' }, { 'F/b': '->x' }, []],
    ['a swap', { a: '1', b: '2' }, { a: '2', b: '1' }, ['a = b', 'b = a']],
    [
      'a cycle, at the same time a chain to outside',
      { a: '1', b: '2', c: '3', d: '4' },
      { b: '1', c: '2', a: '3', x: '4' },
      ['a = c', 'b = a', 'c = b', 'x = d'],
    ],
    ['into its own folder', { 'a/a': '1' }, { a: '1' }, ['a = a/a']],
    ['out of its own folder', { a: '1' }, { 'a/a': '1' }, ['a/a = a']],
    ['into what was a file that moves', { 'a/x': '1', b: '2' }, { a: '2', y: '1' }, ['a = b', 'y = a/x']],
  ])('%s', (_, chosen, other, expected) => {
    expect(moves(chosen, other)).toEqual(expected);
  });

  it('the older id stays, whichever side has it', () => {
    expect(layoutOf({ p: '1' }, { f: '1' }).moves).toEqual([
      { from: 'f', to: 'p', unified: { stays: 'a:p', was: 'b:f' } },
    ]);
    expect(layoutOf({ p: '1#z' }, { f: '1' }).moves).toEqual([
      { from: 'f', to: 'p', unified: { stays: 'b:f', was: 'z' } },
    ]);
  });

  it('what is one object already is paired first, and needs no new id', () => {
    expect(layoutOf({ 'P/a': '1#x', 'F/a': '1' }, { 'F/a': '1#x' }).moves).toEqual([
      { from: 'F/a', to: 'P/a' },
    ]);
    const [kept, changed] = [treeOf({ 'P/a': '1', 'P/b': '1' }, 'a'), treeOf({ 'F/a': '1' }, 'b')];
    const was = [kept[1]!.record.id];
    const known = changed.map((entry) => ({ ...entry, record: { ...entry.record, was } }));
    expect(layoutMoves(kept, known).moves).toEqual([
      { from: 'F/a', to: 'P/b', unified: { stays: 'a:P/b', was: 'b:F/a' } },
    ]);
  });

  it('what is one object with two contents becomes one with nothing else', () => {
    expect(moves({ 'P/a': '1#x' }, { 'F/a': '2#x', 'F/b': '1' })).toEqual([]);
  });

  it('two do not become one if the object is something else already', () => {
    expect(moves({ 'P/a': '1#k' }, { 'F/a': '1', e: '#k' })).toEqual(['F/a > P/a']);
    expect(moves({ 'P/a': '1', e: '#k' }, { 'F/a': '1#k' })).toEqual(['F/a > P/a']);
  });
});

describe('a path of the chosen layout that is occupied', () => {
  it.each<Case>([
    ['by a file that stays', { p: '1' }, { f: '1', p: '2' }, []],
    ['by one that moves away', { p: '1', q: '2' }, { f: '1', p: '2' }, ['f = p', 'p = q']],
    [
      'by one that cannot move away, and so on to the end of the chain',
      { p: '1', q: '2', r: '3' },
      { f: '1', p: '2', q: '3', r: 'stays' },
      [],
    ],
    ['by a link', { p: '1' }, { f: '1', p: '->x' }, []],
    ['by a folder', { p: '1' }, { f: '1', 'p/x': '2' }, []],
    ['by an empty folder', { p: '1' }, { f: '1', 'p/': 'mode' }, []],
    ['by a folder that moves away', { p: '1', 'q/x': '2' }, { f: '1', 'p/x': '2' }, ['f = p', 'p/x = q/x']],
    [
      'by a folder of which something stays',
      { p: '1', 'q/x': '2' },
      { f: '1', 'p/x': '2', 'p/y': '2' },
      ['p/x = q/x'],
    ],
    ['a file is where its folder would be', { 'p/a': '1' }, { f: '1', p: '2' }, []],
    [
      'a file moves away from where its folder will be',
      { 'p/a': '1', q: '2' },
      { f: '1', p: '2' },
      ['f = p/a', 'p = q'],
    ],
    [
      'a file that cannot move away is where its folder would be',
      { 'p/a': '1', q: '2' },
      { f: '1', p: '2', q: 'stays' },
      [],
    ],
    [
      'a file that cannot move away has a folder in the chosen tree, deeper down',
      { 'n/p/a/b': '1', q: '2', s: '3' },
      { f: '1', 'n/p': '2', 'q/x': 'stays', t: '3' },
      ['t = s'],
    ],
  ])('%s', (_, chosen, other, expected) => {
    expect(moves(chosen, other)).toEqual(expected);
  });
});

describe('the rest of a folder that went as a whole', () => {
  const P = { 'P/a': '1', 'P/b': '2' };
  const F = { 'F/a': '1', 'F/b': '2' };
  const WENT = ['F/a = P/a', 'F/b = P/b'];

  it.each<Case>([
    ['unique files follow', P, { ...F, 'F/new': '9' }, [...WENT, 'F/new > P/new']],
    ['empty files and links too', P, { ...F, 'F/e': '', 'F/l': '->a' }, [...WENT, 'F/e > P/e', 'F/l > P/l']],
    [
      'they become one with an equal one that is there',
      { ...P, 'P/l': '->a' },
      { ...F, 'F/l': '->a' },
      [...WENT, 'F/l = P/l'],
    ],
    [
      'the example of docs/merging.md',
      { 'Pictures/2014/a.jpg': '1', 'Pictures/2014/b.jpg': '2' },
      { 'Fotos_alt/a.jpg': '1', 'Fotos_alt/b.jpg': '2', 'Fotos_alt/b (1).jpg': '2', 'Fotos_alt/c.jpg': '3' },
      [
        'Fotos_alt/a.jpg = Pictures/2014/a.jpg',
        'Fotos_alt/b.jpg = Pictures/2014/b.jpg',
        'Fotos_alt/c.jpg > Pictures/2014/c.jpg',
      ],
    ],
    ['surplus copies do not', P, { ...F, 'F/copy of a': '1' }, WENT],
    [
      'folders in it follow',
      P,
      { ...F, 'F/n/x': '8', 'F/n/m/y': '9' },
      [...WENT, 'F/n/m/y > P/n/m/y', 'F/n/x > P/n/x'],
    ],
    ['empty folders follow', P, { ...F, 'F/n/': 'mode' }, [...WENT, 'F/n > P/n']],
    [
      'not if the chosen tree has something else at the place',
      { ...P, 'P/new': '8', 'P/sub/x': '7', 'P/file': '6' },
      { ...F, 'F/new': '9', 'F/sub': '5', 'F/file/y': '4' },
      [...WENT],
    ],
    ['not if the other tree has', P, { ...F, 'F/new': '9', 'P/new': '8' }, WENT],
    ['not if a name would differ only by case', { ...P, 'P/New': '8' }, { ...F, 'F/new': '9' }, WENT],
    ['not if a folder would', { ...P, 'P/N/x': '8' }, { ...F, 'F/n/y': '9' }, WENT],
    [
      'not if the chosen tree has something at their own',
      { ...P, 'F/new': '8' },
      { ...F, 'F/new': '9' },
      WENT,
    ],
    [
      'a folder of which only the spelling differs',
      { 'Fotos/a': '1', 'Fotos/b': '2' },
      { 'fotos/a': '1', 'fotos/b': '2', 'fotos/new': '9', 'fotos/n/x': '8' },
      ['fotos/a = Fotos/a', 'fotos/b = Fotos/b', 'fotos/n/x > Fotos/n/x', 'fotos/new > Fotos/new'],
    ],
    [
      'it went to two places: the rest stays',
      { 'P/a': '1', 'Q/b': '2' },
      { ...F, 'F/new': '9' },
      ['F/a = P/a', 'F/b = Q/b'],
    ],
    ['one could not go: the rest stays', P, { ...F, 'F/new': '9', 'P/b': 'other' }, ['F/a = P/a']],
    ['less than half of it is known: the rest stays', P, { ...F, 'F/7': '7', 'F/8': '8', 'F/9': '9' }, WENT],
    [
      'a few loose files do not take great folders along',
      P,
      { ...F, 'F/n/6': '6', 'F/n/7': '7', 'F/n/8': '8', 'F/9': '9' },
      [...WENT, 'F/9 > P/9'].sort(),
    ],
    [
      'nor if what is in its folders went elsewhere',
      { 'P/a': '1', 'Q/2': '2', 'Q/3': '3', 'Q/4': '4' },
      { 'F/a': '1', 'F/s/2': '2', 'F/s/3': '3', 'F/s/4': '4', 'F/n/9': '9' },
      ['F/a = P/a', 'F/s/2 = Q/2', 'F/s/3 = Q/3', 'F/s/4 = Q/4'],
    ],
    [
      'a folder without files of its own went where those in it went under their names',
      { 'P/05/a': '1', 'P/06/b': '2' },
      { 'F/05/a': '1', 'F/06/b': '2', 'F/07/new': '9', 'F/note': '8' },
      ['F/05/a = P/05/a', 'F/06/b = P/06/b', 'F/07/new > P/07/new', 'F/note > P/note'],
    ],
    [
      'under other names that is not known: the rest stays',
      { 'P/05/a': '1', 'P/06/b': '2' },
      { 'F/Mai/a': '1', 'F/Juni/b': '2', 'F/Juli/new': '9' },
      ['F/Juni/b = P/06/b', 'F/Mai/a = P/05/a'],
    ],
    [
      'the root is no folder that went somewhere',
      { 'P/a': '1', 'P/b': '2' },
      { a: '1', b: '2', new: '9', 'n/x': '8' },
      ['a = P/a', 'b = P/b'],
    ],
    [
      'a folder that went into itself: what is there already stays',
      { 'F/2014/a': '1', 'F/2014/b': '2' },
      { ...F, 'F/2014/x/new': '9', 'F/more': '8' },
      ['F/a = F/2014/a', 'F/b = F/2014/b', 'F/more > F/2014/more'],
    ],
    [
      'two folders went to one; of two equal names the first follows',
      { 'P/a': '1', 'P/b': '2', 'P/c': '3', 'P/d': '4' },
      { ...F, 'F/new': '8', 'G/c': '3', 'G/d': '4', 'G/new': '9', 'G/more': '7' },
      [...WENT, 'F/new > P/new', 'G/c = P/c', 'G/d = P/d', 'G/more > P/more'],
    ],
  ])('%s', (_, chosen, other, expected) => {
    expect(moves(chosen, other)).toEqual(expected);
  });
});

describe("folders' own records", () => {
  const P = { 'P/a': '1', 'P/b': '2' };
  const F = { 'F/a': '1', 'F/b': '2' };
  const WENT = ['F/a = P/a', 'F/b = P/b'];

  it.each<Case>([
    ['one that says only a mode goes with its folder', P, { ...F, 'F/': 'mode' }, [...WENT, '- F']],
    [
      'so do those above it',
      P,
      { 'n/F/a': '1', 'n/F/': 'mode', 'n/': 'mode' },
      ['n/F/a = P/a', '- n', '- n/F'],
    ],
    ['not if something stays in it', P, { ...F, 'F/copy of a': '1', 'F/': 'mode' }, WENT],
    ['attributes go where the folder went', P, { ...F, 'F/': 'tagged' }, ['F > P', ...WENT]],
    ['and become one with those there', { ...P, 'P/': 'mode' }, { ...F, 'F/': 'tagged' }, ['F = P', ...WENT]],
    [
      'not over a record that the other tree has there',
      P,
      { ...F, 'F/': 'tagged', 'P/': 'tagged', 'P/x': '9' },
      WENT,
    ],
    [
      'if it went nowhere as a whole, it stays, empty, and so do those above it',
      { 'P/a': '1', 'Q/b': '2' },
      { 'n/F/a': '1', 'n/F/b': '2', 'n/F/': 'tagged', 'n/': 'mode' },
      ['n/F/a = P/a', 'n/F/b = Q/b'],
    ],
    ['the root keeps its own', P, { a: '1', '/': 'mode' }, ['a = P/a']],
    ['empty folders stay', P, { ...F, 'n/m/': 'mode', 'n/': 'mode' }, WENT],
  ])('%s', (_, chosen, other, expected) => {
    expect(moves(chosen, other)).toEqual(expected);
  });
});

describe('folders that are never split', () => {
  const PROJECT = { 'p/%2Egit/HEAD': 'h', 'p/%2Egit/o/1': 'o1', 'p/src/main.c': 'm', 'p/e': '' };
  const at = (folder: string, tree: Tree = PROJECT): Tree =>
    Object.fromEntries(Object.entries(tree).map(([path, text]) => [`${folder}${path.slice(1)}`, text]));
  const whole = (from: string, to: string): string[] =>
    Object.keys(PROJECT)
      .map((path) => `${from}${path.slice(1)} = ${to}${path.slice(1)}`)
      .sort();

  it.each<Case>([
    [
      'the same project elsewhere goes whole, empty files too',
      at('src/p'),
      at('old/q'),
      whole('old/q', 'src/p'),
    ],
    [
      'at the same path',
      at('src/p'),
      at('src/p'),
      Object.keys(at('src/p'))
        .sort()
        .map((path) => `= ${path}`),
    ],
    ['one that differs stays whole', { ...at('src/p'), 'src/p/src/main.c': 'm2' }, { ...at('old/q') }, []],
    ['one that has more stays whole', at('src/p'), { ...at('old/q'), 'old/q/new': '9' }, []],
    ['one that has less stays whole', { ...at('src/p'), 'src/p/new': '9' }, at('old/q'), []],
    ['one whose place is taken stays whole', at('src/p'), { ...at('old/q'), 'src/p/e': 'x' }, []],
    [
      'it is not swallowed by a project of the chosen tree',
      { ...at('big/sub'), 'big/%2Egit/x': 'x' },
      at('q'),
      [],
    ],
    [
      'of two equal ones each goes to its own',
      { ...at('s/p'), ...at('s/q') },
      { ...at('t/q'), ...at('t/r') },
      [...whole('t/q', 's/q'), ...whole('t/r', 's/p')],
    ],
    ['loose files do not go into a project', at('src/p'), { 'doc/main.c': 'm' }, []],
    [
      'nor into what is a project of the other tree only',
      { 'p/logo': '1' },
      { ...at('p'), 'doc/logo': '1' },
      [],
    ],
    ['nor files of a project out of it', { 'doc/main.c': 'm' }, at('src/p'), []],
    [
      'nor out of a project that is all of a tree',
      { 'x/main.c': 'm' },
      { '%2Egit/HEAD': 'h', 'main.c': 'm' },
      [],
    ],
    [
      'one that differs follows the folder that it is in',
      { 'P/a': '1', 'P/b': '2', 'P/c': '3', ...at('x', { 'p/%2Egit/HEAD': 'h2', 'p/src/main.c': 'm' }) },
      { 'F/a': '1', 'F/b': '2', 'F/c': '3', ...at('F/p') },
      [
        'F/a = P/a',
        'F/b = P/b',
        'F/c = P/c',
        ...Object.keys(at('F/p')).map((path) => `${path} > P${path.slice(1)}`),
      ].sort(),
    ],
    [
      'not if there is anything at its place',
      { 'P/a': '1', 'P/b': '2', 'P/p/x': '9' },
      { 'F/a': '1', 'F/b': '2', ...at('F/p') },
      ['F/a = P/a', 'F/b = P/b'],
    ],
    [
      'nor does the rest of a folder go into one',
      { 'P/a': '1', 'P/b': '2', ...at('P/p') },
      { 'F/a': '1', 'F/b': '2', 'F/p/note': '9' },
      ['F/a = P/a', 'F/b = P/b'],
    ],
    [
      'an album of the other tree goes whole or not at all',
      { 'P/a': '1', 'P/b': '2', 'Q/c': '3' },
      { 'F/a': '1', 'F/b': '2', 'F/': 'album', 'G/c': '3', 'G/d': '4', 'G/': 'album' },
      ['F > P', 'F/a = P/a', 'F/b = P/b'],
    ],
    [
      'what an album became one with is taken',
      { 'P/a': '1', 'P/b': '2' },
      { 'F/a': '1', 'F/b': '2', 'F/': 'album', 'G/a': '1' },
      ['F > P', 'F/a = P/a', 'F/b = P/b'],
    ],
    [
      'also for another album',
      { 'P/a': '1', 'P/s/z': '2' },
      { 'b/z': '2', 'b/': 'album', 'c/a': '1', 'c/s/z': '2', 'c/': 'album' },
      ['b > P/s', 'b/z = P/s/z'],
    ],
    [
      'into an album of the chosen tree files go as into any folder, not into an atomic one',
      { 'P/a': '1', 'P/': 'album', 'Q/b': '2', 'Q/': 'atomic' },
      { 'F/a': '1', 'G/b': '2' },
      ['F/a = P/a'],
    ],
  ])('%s', (_, chosen, other, expected) => {
    expect(moves(chosen, other)).toEqual(expected);
  });
});

describe('layoutMoves', () => {
  const names = fc.stringMatching(/^([pqF]\/){0,3}[pqFx]$/);
  const content = fc.constantFrom('1', '2', '3', '4', '5', '6', '7', '8', '', '->1');
  const files = fc.dictionary(names, content, { maxKeys: 14 }).map(withoutClashes);
  const kinds = fc.constantFrom('mode', 'tagged', 'album', 'atomic');
  const records = fc.dictionary(fc.stringMatching(/^([pqF]\/){1,3}$|^\/$/), kinds, { maxKeys: 3 });
  const projects = fc.uniqueArray(fc.stringMatching(/^([pqF]\/){0,2}$/), { maxLength: 1 });
  const tree = fc.tuple(files, records, projects).map(([all, folders, owners]): Tree => {
    const git = Object.fromEntries(owners.map((owner) => [`${owner}%2Egit/HEAD`, 'h']));
    return withoutClashes({ ...all, ...folders, ...git });
  });

  /** Without what would be below a file, or at one. */
  function withoutClashes(all: Tree): Tree {
    const isFile = (path: string): boolean => path !== '' && all[path] !== undefined;
    const isClash = (path: string): boolean => {
      const above = path.split('/').map((_, i, names) => names.slice(0, i).join('/'));
      return above.some(isFile);
    };
    return Object.fromEntries(Object.entries(all).filter(([path]) => !isClash(path)));
  }

  it('leaves a valid tree with all that was in it, and makes no conflict', () => {
    fc.assert(
      fc.property(tree, tree, (chosen, other) => {
        const [kept, changed] = [treeOf(chosen, 'a'), treeOf(other, 'b')];
        const after = applied(kept, changed, layoutMoves(kept, changed));
        const roots = Object.entries(other).flatMap(([path, text]) => {
          if (path.endsWith('%2Egit/HEAD')) return [path.slice(0, -'%2Egit/HEAD'.length).slice(0, -1)];
          return path !== '/' && (text === 'album' || text === 'atomic') ? [path.slice(0, -1)] : [];
        });
        expectWhole(roots, after);
      }),
      { numRuns: 5000 },
    );
  });

  it('does not depend on the order of the input', () => {
    fc.assert(
      fc.property(tree, tree, fc.infiniteStream(fc.nat()), (chosen, other, random) => {
        const shuffled = <T>(list: readonly T[]): T[] =>
          list
            .map((item) => [random.next().value as number, item] as const)
            .sort(([a], [b]) => a - b)
            .map(([, item]) => item);
        const [kept, changed] = [treeOf(chosen, 'a'), treeOf(other, 'b')];
        expect(layoutMoves(shuffled(kept), shuffled(changed))).toEqual(layoutMoves(kept, changed));
      }),
      { numRuns: 2000 },
    );
  });

  it('a tree of distinct contents under other names gets exactly the chosen layout', () => {
    const distinct = fc.dictionary(names, fc.constant('1'), { maxKeys: 16 }).map((all) => {
      return Object.keys(withoutClashes(all));
    });
    fc.assert(
      fc.property(distinct, distinct, (one, two) => {
        const count = Math.min(one.length, two.length);
        const treeAt = (paths: readonly string[]): Tree =>
          Object.fromEntries(paths.slice(0, count).map((path, i) => [path, `content ${i}`]));
        const [kept, changed] = [treeOf(treeAt(one), 'a'), treeOf(treeAt(two), 'b')];
        const after = applied(kept, changed, layoutMoves(kept, changed));
        expect([...after.keys()].sort()).toEqual(kept.map(({ path }) => path).sort());
      }),
      { numRuns: 2000 },
    );
  });

  it('of two equal trees nothing moves, all becomes one', () => {
    fc.assert(
      fc.property(files, (same) => {
        const kept = treeOf(same, 'a');
        const layout = layoutMoves(kept, treeOf(same, 'b'));
        expect(layout.moves.every(({ from, to }) => from === to)).toBe(true);
        const told = Object.values(same).filter((text) => text !== '' && text !== '->1');
        expect(layout.moves.length).toBe(told.length);
      }),
      { numRuns: 1000 },
    );
  });

  it('a thousand equal files are paired by their names', () => {
    const many = (folder: string): Tree =>
      Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`${folder}/${i}`, 'same']));
    const { moves } = layoutOf(many('P'), { ...many('F'), 'F/more': 'same' });
    expect(moves.map(({ from, to }) => `${from} ${to}`)).toEqual(
      Array.from({ length: 1000 }, (_, i) => `F/${i} P/${i}`).sort(),
    );
  });
});
