import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planBetween, type TreePlan } from './advance.ts';
import type { DiskFacts, FileAt, FolderAt, TreeChange } from './advance-change.ts';
import { checkPlan } from './conserve.ts';
import type { ContentHash, ObjectId } from './ids.ts';
import { parentOf, type RepoPath } from './path.ts';
import type { Step } from './plan.ts';

/** A tree as `path: 'id content'` of files, and `path: 'id/'` of folders that have a record of their own. */
type Tree = Readonly<Record<string, string>>;

const file = (path: string, text: string): FileAt => {
  const [id = '', content = id] = text.split(' ');
  const link = content.startsWith('->');
  return {
    path: path as RepoPath,
    id: id as ObjectId,
    type: link ? 'symlink' : 'file',
    blake3: content as ContentHash,
    size: content.length,
    mtimeNs: 0n,
    mode: 0o644,
    ...(link && { target: content.slice(2) }),
  };
};

const foldersOf = (tree: Tree): Set<string> => {
  const folders = new Set(['']);
  for (const [path, text] of Object.entries(tree)) {
    if (text.endsWith('/')) folders.add(path);
    for (let at = parentOf(path as RepoPath); at !== ''; at = parentOf(at)) folders.add(at);
  }
  return folders;
};

/** What repo makes of two trees of the history, for small ones. */
function changeOf(before: Tree, after: Tree): TreeChange {
  const same = new Set(Object.keys(before).filter((path) => before[path] === after[path]));
  const side = (tree: Tree, other: Tree) => {
    const others = foldersOf(other);
    const inside = (folder: string, path: string) => folder === '' || path.startsWith(`${folder}/`);
    const folders = [...foldersOf(tree)].filter((folder) => {
      if (!others.has(folder)) return true;
      const paths = [...Object.keys(tree), ...Object.keys(other)].filter(
        (path) => path === folder || inside(folder, path),
      );
      return paths.some((path) => tree[path] !== other[path]);
    });
    const listed = folders.map((path): FolderAt => {
      const children = [...Object.keys(tree)].filter((at) => inside(path, at));
      const id = tree[path]?.endsWith('/') ? { id: tree[path].slice(0, -1) as ObjectId } : {};
      return {
        path: path as RepoPath,
        mode: 0o755,
        ...id,
        stays: others.has(path) && children.some((at) => same.has(at)),
      };
    });
    const files = Object.entries(tree).filter(([path, text]) => !text.endsWith('/') && !same.has(path));
    return { files: files.map(([path, text]) => file(path, text)), folders: listed };
  };
  return { before: side(before, after), after: side(after, before), moved: [] };
}

const facts = (more: Partial<DiskFacts> = {}): DiskFacts => ({
  isHere: () => true,
  wants: () => true,
  wanted: more.wants ?? (() => true),
  holdsMore: () => false,
  expect: () => ({ is: 'entry', inode: 1n, size: 0, mtimeNs: 0n, ctimeNs: 0n }),
  contentOf: ({ blake3, size }) => ({ source: 'staging/incoming/x', how: 'copy', blake3, size }),
  ...more,
});

function planned(before: Tree, after: Tree, more: Partial<DiskFacts> = {}): TreePlan {
  const change = changeOf(before, after);
  const disk = facts(more);
  const plan = planBetween(change, disk);
  checkPlan(change, plan, disk.isHere);
  return plan;
}

const short = (step: Step): string => {
  if (step.do === 'move')
    return `${step.parked === undefined ? '' : 'un'}${step.what === 'folder' ? 'folder ' : ''}${step.from} > ${step.path}`;
  return `${step.do} ${step.path}${'expect' in step && step.expect.is === 'entry' && (step.do === 'place' || step.do === 'symlink') ? ' over' : ''}`;
};
const steps = (before: Tree, after: Tree, more: Partial<DiskFacts> = {}): string[] =>
  planned(before, after, more).steps.map(short);

describe('planBetween', () => {
  const FOLDER = { 'a/x': '1 X', 'a/y': '2 Y', 'a/s/z': '3 Z' };
  const MOVED = { 'b/x': '1 X', 'b/y': '2 Y', 'b/s/z': '3 Z' };

  it.each<[string, Tree, Tree, string[]]>([
    ['nothing', FOLDER, FOLDER, []],
    ['a rename', { x: '1 X' }, { y: '1 X' }, ['x > y']],
    ['an edit', { x: '1 X' }, { x: '1 Y' }, ['place x over']],
    ['another object in its place', { x: '1 X' }, { x: '2 Y' }, ['place x over']],
    ['a deletion', { x: '1 X', y: '2 Y' }, { y: '2 Y' }, ['remove x']],
    ['an addition in a new folder', {}, { 'a/x': '1 X' }, ['mkdir a', 'place a/x']],
    ['G17: a swap', { x: '1 X', y: '2 Y' }, { x: '2 Y', y: '1 X' }, ['park x', 'y > x', 'unx > y']],
    [
      'G18: a cycle of three',
      { a: '1', b: '2', c: '3' },
      { a: '3', b: '1', c: '2' },
      ['park a', 'c > a', 'b > c', 'una > b'],
    ],
    ['G16: a chain', { a: '1', b: '2', c: '3' }, { b: '1', c: '2', d: '3' }, ['c > d', 'b > c', 'a > b']],
    ['a folder', FOLDER, MOVED, ['folder a > b']],
    [
      'a folder into a new one',
      FOLDER,
      { 'n/b/x': '1 X', 'n/b/y': '2 Y', 'n/b/s/z': '3 Z' },
      ['mkdir n', 'folder a > n/b'],
    ],
    ['a folder with an edit', FOLDER, { ...MOVED, 'b/x': '1 other' }, ['folder a > b', 'place b/x over']],
    ['a folder with a deletion', FOLDER, { 'b/y': '2 Y', 'b/s/z': '3 Z' }, ['remove a/x', 'folder a > b']],
    ['a folder with an addition', FOLDER, { ...MOVED, 'b/n': '9 N' }, ['folder a > b', 'place b/n']],
    [
      'a folder, one inside stays a folder of its own',
      FOLDER,
      { 'b/x': '1 X', 'b/y': '2 Y', 'c/z': '3 Z' },
      ['folder a/s > c', 'folder a > b'],
    ],
    [
      'a file leaves the folder that moves',
      FOLDER,
      { 'b/y': '2 Y', 'b/s/z': '3 Z', x: '1 X' },
      ['a/x > x', 'folder a > b'],
    ],
    [
      'an inner rename too',
      FOLDER,
      { ...MOVED, 'b/x': undefined as never, 'b/w': '1 X' },
      ['park a/x', 'folder a > b', 'una/x > b/w'],
    ],
    [
      'swapped folders',
      { 'a/x': '1', 'a/v': '3', 'b/y': '2' },
      { 'b/x': '1', 'b/v': '3', 'a/y': '2' },
      ['park a', 'folder b > a', 'unfolder a > b'],
    ],
    [
      'a folder into itself',
      { 'a/x': '1', 'a/y': '2' },
      { 'a/b/x': '1', 'a/b/y': '2' },
      ['park a', 'mkdir a', 'unfolder a > a/b'],
    ],
    [
      'out of itself',
      { 'a/b/x': '1', 'a/b/y': '2' },
      { 'a/x': '1', 'a/y': '2' },
      ['a/b/x > a/x', 'a/b/y > a/y', 'rmdir a/b'],
    ],
    [
      'into one that is there',
      { ...FOLDER, 'b/w': '7' },
      { ...MOVED, 'b/w': '7' },
      ['folder a/s > b/s', 'a/x > b/x', 'a/y > b/y', 'rmdir a'],
    ],
    [
      'one file stays',
      FOLDER,
      { 'a/x': '1 X', 'b/y': '2 Y', 'b/s/z': '3 Z' },
      ['mkdir b', 'folder a/s > b/s', 'a/y > b/y'],
    ],
    [
      'F05: case only',
      { 'Foo/x': '1', Bar: '2' },
      { 'foo/x': '1', bar: '2' },
      ['Bar > bar', 'folder Foo > foo'],
    ],
    ['file to folder', { a: '1' }, { 'a/a': '1' }, ['park a', 'mkdir a', 'una > a/a']],
    ['folder to file', { 'a/a': '1' }, { a: '1' }, ['park a/a', 'rmdir a', 'una/a > a']],
    ['file replaced by a folder', { a: '1' }, { 'a/b': '2' }, ['remove a', 'mkdir a', 'place a/b']],
    ['folder replaced by a file', { 'a/b': '2' }, { a: '1' }, ['remove a/b', 'rmdir a', 'place a']],
    ['file to link', { a: '1' }, { a: '2 ->b' }, ['symlink a over']],
    ['G30: an empty folder comes', {}, { e: '1/' }, ['mkdir e']],
    ['G30: an empty folder goes', { e: '1/', x: '2' }, { x: '2' }, ['rmdir e']],
    ['G30: an empty folder is renamed', { e: '1/' }, { f: '1/' }, ['folder e > f']],
    ['the last file goes, the folder stays', { 'a/x': '1' }, { a: '2/' }, ['remove a/x']],
  ])('%s', (_, before, after, wanted) => {
    const clean = (tree: Tree) =>
      Object.fromEntries(Object.entries(tree).filter(([, text]) => text !== undefined));
    expect(steps(clean(before), clean(after))).toEqual(wanted);
  });

  it('G30: a folder that holds ignored files stays, its tracked ones go', () => {
    expect(steps(FOLDER, MOVED, { holdsMore: (folder) => folder === 'a' })).toEqual([
      'mkdir b',
      'folder a/s > b/s',
      'a/x > b/x',
      'a/y > b/y',
      'rmdir a',
    ]);
  });

  it('a hundred files in a circle are one parked and the rest moved', () => {
    const names = Array.from({ length: 100 }, (_, i) => `f${i}`);
    const before = Object.fromEntries(names.map((name, i) => [name, `${i} c${i}`]));
    const after = Object.fromEntries(names.map((name, i) => [name, `${(i + 1) % 100} c${(i + 1) % 100}`]));
    const made = steps(before, after);
    expect(made).toHaveLength(101);
    expect(made.filter((step) => step.startsWith('park'))).toHaveLength(1);
  });

  it('counts', () => {
    const plan = planned(
      { 'a/x': '1 X', 'a/y': '2 Y', d: '3 D', e: '4 E' },
      { 'b/x': '1 X', 'b/y': '2 YY', e: '4 EE', n: '5 N' },
    );
    expect(plan.applied).toEqual({ renamed: 2, copied: 1, updated: 2, deleted: 1 });
    expect(plan.needs.map(({ path }) => path)).toEqual(['b/y', 'e', 'n']);
    expect([...plan.letGo].sort()).toEqual(['D', 'E', 'Y']);
  });
});

describe('a subset', () => {
  const wants = (path: string) => path.startsWith('in/') || path === 'in';
  const isHere = (path: string) => wants(path) || path === '';

  it('P01: what leaves it moves here too and stays', () => {
    const plan = planned(
      { 'in/x': '1', 'in/y': '2', 'out/z': '3' },
      { 'in/y': '2', 'out/x': '1', 'out/z': '3' },
      { wants, isHere },
    );
    expect(plan.steps.map(short)).toEqual(['mkdir out', 'in/x > out/x']);
    expect(plan.absent).toEqual(new Set());
  });
  it('P02, P12: what moves in is fetched; what cannot be had is missing', () => {
    const before = { 'in/y': '2', 'out/x': '1', 'out/w': '4' };
    const after = { 'in/y': '2', 'in/x': '1', 'in/w': '4' };
    const contentOf: DiskFacts['contentOf'] = ({ path, blake3, size }) =>
      path === 'in/x' ? { source: 's', how: 'link', blake3, size } : undefined;
    const plan = planned(before, after, { wants, isHere, contentOf });
    expect(plan.steps.map(short)).toEqual(['place in/x']);
    expect(plan.missing.map(({ path }) => path)).toEqual(['in/w']);
    expect(plan.applied).toMatchObject({ renamed: 0, copied: 1, deleted: 0 });
  });
  it('P03: of a folder that crosses the border only the part that is here moves', () => {
    const here = (path: string) => path === '' || path === 'd' || path === 'd/x';
    const plan = planned(
      { 'd/x': '1', 'd/y': '2' },
      { 'e/x': '1', 'e/y': '2' },
      { wants: () => false, isHere: here },
    );
    expect(plan.steps.map(short)).toEqual(['folder d > e']);
    expect(plan.absent).toEqual(new Set(['e/y']));
  });
  it('what is outside comes, changes and goes without a trace', () => {
    const plan = planned(
      { 'out/x': '1', 'out/y': '2' },
      { 'out/x': '1 new', 'far/z': '3' },
      { wants, isHere },
    );
    expect(plan.steps).toEqual([]);
    expect(plan.applied).toEqual({ renamed: 0, copied: 0, updated: 0, deleted: 0 });
  });
  it('what was dropped inside does not come back because it moved', () => {
    const plan = planned({ 'in/x': '1' }, { 'in/z': '1' }, { wants, isHere: () => false });
    expect(plan.steps).toEqual([]);
    expect(plan.absent).toEqual(new Set(['in/z']));
  });
  it('an edit that cannot be had takes the old version away', () => {
    const plan = planned({ 'in/x': '1 X' }, { 'in/x': '1 Y' }, { wants, isHere, contentOf: () => undefined });
    expect(plan.steps.map(short)).toEqual(['remove in/x', 'rmdir in']);
    expect(plan.missing).toHaveLength(1);
  });
});

describe('any two trees', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
  const tree = fc
    .array(fc.tuple(path, fc.integer({ min: 1, max: 12 }), fc.constantFrom('', 'X', 'Y')), { maxLength: 14 })
    .map((entries) => {
      const made = new Map<string, string>();
      const ids = new Set<number>();
      for (const [at, id, content] of entries) {
        const clash = [...made.keys()].some(
          (other) => other === at || other.startsWith(`${at}/`) || at.startsWith(`${other}/`),
        );
        if (clash || ids.has(id)) continue;
        ids.add(id);
        made.set(at, id === 12 ? `${id}/` : `${id} ${content === '' ? id : content}`);
      }
      return Object.fromEntries(made);
    });
  /** Whole folders and files get other names; most of the tree stays. */
  const moved = fc.tuple(tree, fc.array(fc.tuple(path, path), { maxLength: 5 })).map(([start, moves]) => {
    let now: Tree = start;
    for (const [from, to] of moves) {
      const renamed = Object.entries(now).map(([at, text]) => {
        if (at === from || at.startsWith(`${from}/`)) return [`${to}${at.slice(from.length)}`, text] as const;
        if (at === to || at.startsWith(`${to}/`)) return [`${from}${at.slice(to.length)}`, text] as const;
        return [at, text] as const;
      });
      const paths = renamed.map(([at]) => at);
      const clash = paths.some((at, i) =>
        paths.some((other, j) => i !== j && (other === at || other.startsWith(`${at}/`))),
      );
      if (!clash) now = Object.fromEntries(renamed);
    }
    return [start, now] as const;
  });
  const here = fc.func(fc.boolean());

  it('the plan makes the one of the other: nothing is overwritten, nothing is lost', () => {
    fc.assert(
      fc.property(tree, tree, (before, after) => void planned(before, after)),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(moved, ([before, after]) => {
        const { steps } = planned(before, after);
        expect(
          steps.filter(({ do: what }) => what === 'place' || what === 'remove' || what === 'symlink'),
        ).toEqual([]);
      }),
      { numRuns: 3000 },
    );
  });
  it('also of a part, with some folders that hold more, and contents that cannot be had', () => {
    fc.assert(
      fc.property(
        fc.oneof(moved, fc.tuple(tree, tree)),
        here,
        here,
        here,
        here,
        ([before, after], a, b, c, d) => {
          const isHere = (path: string, isFolder: boolean): boolean =>
            path === '' ||
            (isFolder ? before[path] !== undefined && a(path) : a(path)) ||
            (isFolder && Object.keys(before).some((at) => at.startsWith(`${path}/`) && a(at)));
          const contentOf: DiskFacts['contentOf'] = ({ path, blake3, size }) =>
            c(path) ? { source: 's', how: 'copy', blake3, size } : undefined;
          planned(before, after, { isHere, wants: b, contentOf, holdsMore: d });
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('objects that became part of others', () => {
  const before = [file('d/x', 'b same'), file('y', 'c other'), file('z', 'e third')];
  const change = (after: FileAt[]): TreeChange => {
    const folder = (path: string, stays: boolean): FolderAt => ({
      path: path as RepoPath,
      mode: 0o755,
      stays,
    });
    const folders = [folder('', true), folder('d', true)];
    return { before: { files: before, folders }, after: { files: after, folders }, moved: [] };
  };
  const was = (at: FileAt, ...ids: string[]): FileAt => ({ ...at, was: ids as ObjectId[] });
  const ground: DiskFacts = {
    isHere: () => true,
    wants: () => true,
    wanted: () => true,
    holdsMore: () => false,
    expect: () => ({ is: 'entry', inode: 1n, size: 1, mtimeNs: 0n, ctimeNs: 0n }),
    contentOf: ({ blake3, size }) => ({ source: '', how: 'copy', blake3, size }),
  };

  it('are where those are: nothing is deleted, what moved is renamed', () => {
    const plan = planBetween(
      change([was(file('d/x', 'a same'), 'b'), was(file('d/y2', 'c other'), 'z'), file('z', 'e third')]),
      ground,
    );
    expect(plan.applied).toEqual({ renamed: 1, copied: 0, updated: 0, deleted: 0 });
    expect(plan.steps.map(({ do: what, path }) => `${what} ${path}`)).toEqual(['move d/y2']);
  });

  it('one file is claimed once, by its own id first, then by who is at its path', () => {
    const plan = planBetween(
      change([was(file('n', 'a same'), 'b', 'c'), was(file('y', 'f other'), 'c'), file('z', 'e third')]),
      ground,
    );
    expect(plan.applied).toEqual({ renamed: 1, copied: 0, updated: 0, deleted: 0 });
    const twice = planBetween(
      change([
        file('d/x', 'b same'),
        was(file('n', 'a same'), 'b'),
        file('y', 'c other'),
        file('z', 'e third'),
      ]),
      ground,
    );
    expect(twice.applied).toEqual({ renamed: 0, copied: 1, updated: 0, deleted: 0 });
  });
});
