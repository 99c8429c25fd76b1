import { describe, expect, test } from 'vitest';
import { commitOf, Disk, fakeHash, observe } from './disk.fixture.ts';
import { type Identified, identify } from './identify.ts';
import { newObjectId } from './ids.ts';
import type { RepoPath } from './path.ts';
import type { DepartedObject } from './returned.ts';

type Files = Readonly<Record<string, string>>;

function diskOf(files: Files): Disk {
  const disk = new Disk();
  for (const [path, content] of Object.entries(files)) {
    if (content.startsWith('->')) disk.write(path, content, 'symlink');
    else disk.write(path, content, content === 'DIR' ? 'dir' : 'file');
  }
  return disk;
}

/** `path` → where its object was at the head (by evidence), 'new' or 'returned'. */
function shown(identified: Identified): Record<string, string> {
  const all: Record<string, string> = {};
  for (const { seen, object } of identified.entries) {
    all[seen.path] = object.kind === 'known' ? `${object.tracked.path} (${object.evidence})` : object.kind;
  }
  for (const tracked of identified.deleted) all[`-${tracked.path}`] = 'deleted';
  return all;
}

function identified(files: Files, work: (disk: Disk) => void, departed: DepartedObject[] = []): Identified {
  const disk = diskOf(files);
  const head = commitOf(disk);
  work(disk);
  return identify({ ...observe(head, disk, { read: true }), departed, objectsIn: head.objectsIn });
}

interface Case {
  readonly name: string;
  readonly files: Files;
  readonly work: (disk: Disk) => void;
  readonly expected: Record<string, string>;
}

const AB = { a: 'one', b: 'two!' };
const ABC = { a: 'one', b: 'two!', c: 'three' };
const ALBUM = { 'alb/1': 'first', 'alb/2': 'second', 'alb/3': 'third', 'alb/sub/4': 'fourth' };

const CASES: readonly Case[] = [
  { name: 'nothing changed', files: AB, work: () => {}, expected: {} },
  { name: 'a touch', files: AB, work: (d) => d.touch('a'), expected: { a: 'a (same-path)' } },
  { name: 'an edit in place', files: AB, work: (d) => d.edit('a', 'x'), expected: { a: 'a (edited)' } },
  { name: 'an atomic save', files: AB, work: (d) => d.write('a', 'x'), expected: { a: 'a (edited)' } },
  {
    name: 'an atomic save of the same content',
    files: AB,
    work: (d) => d.write('a', 'one'),
    expected: { a: 'a (same-path)' },
  },
  { name: 'a rename', files: AB, work: (d) => d.mv('a', 'n/c'), expected: { 'n/c': 'a (same-inode)' } },
  {
    name: 'a rename and an edit',
    files: AB,
    work: (d) => {
      d.mv('a', 'c');
      d.edit('c', 'other');
    },
    expected: { c: 'a (moved-and-edited)' },
  },
  {
    name: 'a swap',
    files: AB,
    work: (d) => {
      d.mv('a', 't');
      d.mv('b', 'a');
      d.mv('t', 'b');
    },
    expected: { a: 'b (same-inode)', b: 'a (same-inode)' },
  },
  {
    name: 'a swap of equal contents is none',
    files: { a: 'same', b: 'same' },
    work: (d) => {
      d.mv('a', 't');
      d.mv('b', 'a');
      d.mv('t', 'b');
    },
    expected: { a: 'a (same-path)', b: 'b (same-path)' },
  },
  {
    name: 'a rotation of three',
    files: ABC,
    work: (d) => {
      d.mv('a', 't');
      d.mv('b', 'a');
      d.mv('c', 'b');
      d.mv('t', 'c');
    },
    expected: { a: 'b (same-inode)', b: 'c (same-inode)', c: 'a (same-inode)' },
  },
  {
    name: 'a backup by rename, then a new file at the path',
    files: AB,
    work: (d) => {
      d.mv('a', 'a~');
      d.write('a', 'new text');
    },
    expected: { a: 'new', 'a~': 'a (same-inode)' },
  },
  {
    name: 'a backup by rename, then the same content at the path',
    files: AB,
    work: (d) => {
      d.mv('a', 'a~');
      d.write('a', 'one');
    },
    expected: { a: 'a (same-path)', 'a~': 'new' },
  },
  {
    name: 'a backup by copy, then an edit',
    files: AB,
    work: (d) => {
      d.cp('a', 'a~');
      d.edit('a', 'new text');
    },
    expected: { a: 'a (edited)', 'a~': 'new' },
  },
  {
    name: 'one file moved over another',
    files: AB,
    work: (d) => d.mv('a', 'b'),
    expected: { b: 'a (same-inode)', '-b': 'deleted' },
  },
  {
    name: 'a chain: the overwritten object is found again elsewhere',
    files: AB,
    work: (d) => {
      d.remake('b', 'c');
      d.mv('a', 'b');
    },
    expected: { b: 'a (same-inode)', c: 'b (same-content)' },
  },
  {
    name: 'a move across file systems',
    files: AB,
    work: (d) => d.remake('a', 'x/a'),
    expected: { 'x/a': 'a (same-content)' },
  },
  { name: 'a copy', files: AB, work: (d) => d.cp('a', 'c'), expected: { c: 'new' } },
  {
    name: 'a copy, then the original edited',
    files: AB,
    work: (d) => {
      d.cp('a', 'c');
      d.write('a', 'x');
    },
    expected: { a: 'a (edited)', c: 'new' },
  },
  {
    name: 'a copy, then the original removed, is a move',
    files: AB,
    work: (d) => {
      d.cp('a', 'c');
      d.rm('a');
    },
    expected: { c: 'a (same-content)' },
  },
  { name: 'a deletion', files: AB, work: (d) => d.rm('a'), expected: { '-a': 'deleted' } },
  {
    name: 'a deletion and an unrelated file',
    files: AB,
    work: (d) => {
      d.rm('a');
      d.write('c', 'x');
    },
    expected: { '-a': 'deleted', c: 'new' },
  },
  {
    name: 'a folder moved as a whole',
    files: ALBUM,
    work: (d) => d.mv('alb', 'z/Album'),
    expected: {
      'z/Album/1': 'alb/1 (same-inode)',
      'z/Album/2': 'alb/2 (same-inode)',
      'z/Album/3': 'alb/3 (same-inode)',
      'z/Album/sub/4': 'alb/sub/4 (same-inode)',
    },
  },
  {
    name: 'a folder moved, files in it saved anew: known by their names',
    files: ALBUM,
    work: (d) => {
      d.mv('alb', 'new');
      d.write('new/2', 'better');
      d.write('new/sub/4', 'better too');
    },
    expected: {
      'new/1': 'alb/1 (same-inode)',
      'new/2': 'alb/2 (moved-folder)',
      'new/3': 'alb/3 (same-inode)',
      'new/sub/4': 'alb/sub/4 (moved-folder)',
    },
  },
  {
    name: 'a folder of which something stays was not moved as a whole',
    files: ALBUM,
    work: (d) => {
      d.mv('alb/1', 'new/1');
      d.rm('alb/2');
      d.write('new/2', 'better');
    },
    expected: { 'new/1': 'alb/1 (same-inode)', '-alb/2': 'deleted', 'new/2': 'new' },
  },
  {
    name: 'a folder that was split evenly went to no one place',
    files: ALBUM,
    work: (d) => {
      d.mv('alb/1', 'p/1');
      d.mv('alb/3', 'q/3');
      d.rm('alb/2');
      d.write('p/2', 'better');
    },
    expected: {
      'p/1': 'alb/1 (same-inode)',
      'q/3': 'alb/3 (same-inode)',
      '-alb/2': 'deleted',
      'p/2': 'new',
    },
  },
  {
    name: 'a folder moved across file systems, with an empty file and an edit',
    files: { 'd/1': 'one', 'd/2': 'two', 'd/empty': '', 'd/x': 'old' },
    work: (d) => {
      d.remake('d', 'e');
      d.write('e/x', 'newer');
    },
    expected: {
      'e/1': 'd/1 (same-content)',
      'e/2': 'd/2 (same-content)',
      'e/empty': 'd/empty (moved-folder)',
      'e/x': 'd/x (moved-folder)',
    },
  },
  {
    name: 'two equal files, one of them moved',
    files: { 'p/a': 'same', 'q/b': 'same' },
    work: (d) => d.remake('p/a', 'p/c'),
    expected: { 'p/c': 'p/a (same-content)' },
  },
  {
    name: 'two equal files, both moved: the nearest path, then the name',
    files: { 'p/a': 'same', 'q/a': 'same', 'q/b': 'same' },
    work: (d) => {
      d.remake('q/a', 'r/x');
      d.remake('q/b', 'q/c');
      d.remake('p/a', 's/a');
    },
    expected: { 'q/c': 'q/a (same-content)', 's/a': 'p/a (same-content)', 'r/x': 'q/b (same-content)' },
  },
  {
    name: 'the content of empty files is no evidence',
    files: { 'p/a': '', 'p/b': 'x' },
    work: (d) => {
      d.rm('p/a');
      d.write('q/c', '');
    },
    expected: { '-p/a': 'deleted', 'q/c': 'new' },
  },
  {
    name: 'an empty file moved, and another begun at its path',
    files: { a: '' },
    work: (d) => {
      d.mv('a', 'b');
      d.write('a', '');
    },
    expected: { a: 'new', b: 'a (same-inode)' },
  },
  {
    name: 'an empty file made anew at its path',
    files: { a: '' },
    work: (d) => d.write('a', ''),
    expected: { a: 'a (same-path)' },
  },
  {
    name: 'an empty file moved and filled',
    files: { a: '' },
    work: (d) => {
      d.mv('a', 'b');
      d.edit('b', 'text');
    },
    expected: { b: 'a (moved-and-edited)' },
  },
  {
    name: 'a hard link to a known file is a new object',
    files: AB,
    work: (d) => d.ln('a', 'c'),
    expected: { a: 'a (same-path)', c: 'new' },
  },
  {
    name: 'a hard link, and an edit through it',
    files: AB,
    work: (d) => {
      d.ln('a', 'c');
      d.edit('c', 'other');
    },
    expected: { a: 'a (edited)', c: 'new' },
  },
  {
    name: 'two hard links of a file that is gone: the nearer path has it',
    files: { 'p/a': 'one' },
    work: (d) => {
      d.ln('p/a', 'q/a');
      d.mv('p/a', 'p/b');
    },
    expected: { 'p/b': 'p/a (same-inode)', 'q/a': 'new' },
  },
  {
    name: 'a symlink renamed, and one pointed elsewhere',
    files: { l: '->x', m: '->y' },
    work: (d) => {
      d.mv('l', 'n');
      d.write('m', '->z', 'symlink');
    },
    expected: { n: 'l (same-inode)', m: 'm (edited)' },
  },
  {
    name: 'a symlink never matches a file of the same bytes',
    files: { l: '->x' },
    work: (d) => {
      d.rm('l');
      d.write('f', '->x');
    },
    expected: { '-l': 'deleted', f: 'new' },
  },
  {
    name: 'a symlink in place of a file begins a new object',
    files: AB,
    work: (d) => d.write('a', '->b', 'symlink'),
    expected: { a: 'new', '-a': 'deleted' },
  },
  {
    name: 'a file moved away and a symlink to it left behind',
    files: AB,
    work: (d) => {
      d.mv('a', 'store/a');
      d.write('a', '->store/a', 'symlink');
    },
    expected: { a: 'new', 'store/a': 'a (same-inode)' },
  },
  {
    name: 'folders: by inode, else by path, never by content',
    files: { d: 'DIR', e: 'DIR', f: 'DIR', g: 'DIR' },
    work: (d) => {
      d.mv('d', 't');
      d.mv('e', 'd');
      d.mv('t', 'e');
      d.write('f', '', 'dir');
      d.remake('g', 'h');
    },
    expected: {
      d: 'e (same-inode)',
      e: 'd (same-inode)',
      f: 'f (same-path)',
      h: 'new',
      '-g': 'deleted',
    },
  },
];

describe('identify: every sentence of SPEC 2.2', () => {
  for (const { name, files, work, expected } of CASES) {
    test(name, () => {
      expect(shown(identified(files, work))).toEqual(expected);
    });
  }
});

describe('what the file system does not tell', () => {
  test('without inodes a swap is two edits and a rename is known by its content', () => {
    const disk = diskOf({ a: 'one', b: 'two!', c: 'three' });
    const head = commitOf(disk);
    disk.mv('a', 't');
    disk.mv('b', 'a');
    disk.mv('t', 'b');
    disk.mv('c', 'd');
    const observed = observe(head, disk, { read: true });
    const zero = { inode: 0n };
    const result = identify({
      gone: observed.gone.map((tracked) => ({ ...tracked, ...zero })),
      occupied: observed.occupied.map(({ tracked, seen }) => ({
        tracked: { ...tracked, ...zero },
        seen: { ...seen, ...zero },
      })),
      added: observed.added.map((seen) => ({ ...seen, ...zero })),
      departed: [],
      objectsIn: head.objectsIn,
    });
    expect(shown(result)).toEqual({ a: 'a (edited)', b: 'b (edited)', d: 'c (same-content)' });
  });

  test('a number that a later inode got again is no evidence', () => {
    const disk = diskOf({ a: 'one' });
    const head = commitOf(disk);
    disk.rm('a');
    disk.write('b', 'other');
    const observed = observe(head, disk, { read: true });
    const reuse = { inode: head.entries[0]!.inode };
    const later = observed.added.map((seen) => ({ ...seen, ...reuse }));
    const birthless = { ...observed, added: later.map((seen) => ({ ...seen, birthNs: 0n })) };
    const gone = observed.gone.map((tracked) => ({ ...tracked, birthNs: 0n }));
    const rest = { departed: [], objectsIn: head.objectsIn };
    expect(shown(identify({ ...observed, added: later, ...rest }))).toEqual({ '-a': 'deleted', b: 'new' });
    expect(shown(identify({ ...birthless, gone, ...rest }))).toEqual({ '-a': 'deleted', b: 'new' });
  });
});

describe('objects that come back', () => {
  const object = (n: number, path: string, content: string): DepartedObject => ({
    id: newObjectId(1000 + n, new Uint8Array(10)),
    path: path as RepoPath,
    blake3: fakeHash(content),
    size: content.length,
    type: content.startsWith('->') ? 'symlink' : 'file',
  });
  const back = (result: Identified): Record<string, string> => {
    const all: Record<string, string> = {};
    for (const { seen, object } of result.entries) {
      all[seen.path] = object.kind === 'returned' ? object.departed.path : object.kind;
    }
    return all;
  };

  test('a recovered file keeps its id, at its path and elsewhere', () => {
    const result = identified(
      AB,
      (d) => {
        d.write('old/p', 'gone content');
        d.write('q (recovered 2026-01-01)', 'q content');
      },
      [object(1, 'old/p', 'gone content'), object(2, 'q', 'q content')],
    );
    expect(back(result)).toEqual({ 'old/p': 'old/p', 'q (recovered 2026-01-01)': 'q' });
  });

  test('the same path wins over the nearest, the inode over both other paths; no id comes back twice', () => {
    const twin = object(3, 'x/2', 'same');
    const result = identified(
      AB,
      (d) => {
        d.write('x/1', 'same');
        d.write('x/2', 'same');
        d.write('x/3', 'same');
      },
      [twin, { ...twin, path: 'x/3' as RepoPath }, object(4, 'y/4', 'same')],
    );
    expect(back(result)).toEqual({ 'x/1': 'y/4', 'x/2': 'x/2', 'x/3': 'new' });
    const disk = diskOf({ 'm/1': 'same', 'm/2': 'same' });
    const inodes = commitOf(disk).entries.map((entry) => entry.inode);
    const empty = commitOf(new Disk());
    const moved = identify({
      ...observe(empty, disk, { read: true }),
      departed: [
        { ...object(5, 'm/1x', 'same'), inode: inodes[1]! },
        { ...object(6, 'm/9', 'same'), inode: inodes[0]! },
      ],
      objectsIn: empty.objectsIn,
    });
    expect(back(moved)).toEqual({ 'm/1': 'm/9', 'm/2': 'm/1x' });
  });

  test('an empty file comes back at its own path only', () => {
    const result = identified(
      AB,
      (d) => {
        d.write('e1', '');
        d.write('e2', '');
      },
      [object(1, 'e1', ''), object(2, 'elsewhere', '')],
    );
    expect(back(result)).toEqual({ e1: 'e1', e2: 'new' });
  });

  test('an object missed now comes before one missed earlier', () => {
    const result = identified(AB, (d) => d.remake('a', 'c'), [object(1, 'c', 'one')]);
    expect(back(result)).toEqual({ c: 'known' });
  });

  test('a symlink does not bring back a file', () => {
    const result = identified(AB, (d) => d.write('p', '->x', 'symlink'), [
      { ...object(1, 'p', '->x'), type: 'file' },
    ]);
    expect(back(result)).toEqual({ p: 'new' });
  });
});
