import { describe, expect, test } from 'vitest';
import type { Change } from './change.ts';
import { changesOf, summaryOf } from './diff.ts';
import { commitOf, Disk, observe, readContents } from './disk.fixture.ts';
import { type Folders, foldersAbove } from './folder-change.ts';
import { identify } from './identify.ts';
import type { RepoPath } from './path.ts';
import { settle, wanted } from './settle.ts';

type Files = Readonly<Record<string, string>>;
const FILES: Files = { a: 'one', b: 'two!', 'd/x': 'three' };

function changed(files: Files, work: (disk: Disk) => void, how: { readonly all: boolean }): Change[] {
  const disk = new Disk();
  for (const [path, text] of Object.entries(files)) {
    if (text.startsWith('->')) disk.write(path, text, 'symlink');
    else disk.write(path, text, text === 'DIR' ? 'dir' : 'file');
  }
  const head = commitOf(disk);
  const before = foldersOf(disk);
  work(disk);
  const now = foldersOf(disk);
  const folders: Folders = { before: (path) => before.has(path), now: (path) => now.has(path) };
  const settled = settle(observe(head, disk, { read: false }));
  const observed = readContents(settled, wanted(settled, how), disk);
  return changesOf(identify({ ...observed, departed: [], objectsIn: head.objectsIn }), folders);
}

function foldersOf(disk: Disk): Set<string> {
  const dirs = [...disk.nodes].filter(([, node]) => node.type === 'dir').map(([path]) => path);
  return new Set<string>([...foldersAbove([...disk.nodes.keys()] as RepoPath[]), ...dirs]);
}

/** "type path < from [fields] suspect", without ids. */
function told(changes: readonly Change[]): string[] {
  return changes.map(({ type, path, from, fields, suspect }) =>
    [type, path, from && `< ${from}`, fields && `[${fields}]`, suspect].filter(Boolean).join(' '),
  );
}

const CASES: readonly {
  readonly name: string;
  readonly files?: Files;
  readonly work: (disk: Disk) => void;
  readonly expected: readonly string[];
}[] = [
  { name: 'nothing', work: () => {}, expected: [] },
  { name: 'an edit', work: (d) => d.edit('a', 'longer'), expected: ['modified a [content,mtime]'] },
  {
    name: 'an edit of the same size',
    work: (d) => d.edit('a', 'ONE'),
    expected: ['modified a [content,mtime]'],
  },
  { name: 'a touch', work: (d) => d.touch('a'), expected: ['metadata a [mtime]'] },
  { name: 'a mode', work: (d) => d.chmod('a', 0o600), expected: ['metadata a [mode]'] },
  { name: 'only the change time', work: (d) => d.chmod('a', 0o644), expected: [] },
  { name: 'a new file', work: (d) => d.write('n', 'x'), expected: ['added n'] },
  { name: 'a deletion', work: (d) => d.rm('a'), expected: ['deleted a'] },
  { name: 'a rename', work: (d) => d.mv('a', 'd/a'), expected: ['renamed d/a < a'] },
  {
    name: 'a rename, a mode and an edit',
    work: (d) => {
      d.mv('a', 'z');
      d.edit('z', 'x');
      d.chmod('z', 0o600);
    },
    expected: ['renamed z < a [content,mode,mtime]'],
  },
  {
    name: 'one over another',
    work: (d) => d.mv('a', 'b'),
    expected: ['deleted b', 'renamed b < a'],
  },
  {
    name: 'rot, told even if the mode was changed',
    work: (d) => {
      d.rot('a', 'ono');
      d.chmod('a', 0o600);
    },
    expected: ['modified a [content,mode] rot'],
  },
  {
    name: 'an edit that hides its mtime by a new inode is no rot',
    work: (d) => {
      const mtime = d.nodes.get('a')!.mtimeNs;
      d.write('a', 'ono');
      d.nodes.get('a')!.mtimeNs = mtime;
    },
    expected: ['modified a [content]'],
  },
  {
    name: 'a symlink pointed elsewhere',
    files: { l: '->x' },
    work: (d) => d.write('l', '->yy', 'symlink'),
    expected: ['modified l [content,mtime,target]'],
  },
  {
    name: 'a symlink in place of a file',
    work: (d) => d.write('a', '->b', 'symlink'),
    expected: ['typechange a [type]'],
  },
  {
    name: 'a folder of a name that a file had',
    work: (d) => {
      d.rm('a');
      d.write('a/x', 'new');
    },
    expected: ['deleted a', 'added a/x'],
  },
  { name: 'an empty folder came', work: (d) => d.write('e', '', 'dir'), expected: ['added e'] },
  {
    name: 'an empty folder went',
    files: { e: 'DIR' },
    work: (d) => d.rm('e'),
    expected: ['deleted e'],
  },
  {
    name: 'an empty folder was renamed',
    files: { e: 'DIR' },
    work: (d) => d.mv('e', 'f'),
    expected: ['renamed f < e'],
  },
  {
    name: 'a folder became empty: only its file is told',
    work: (d) => {
      d.rm('d/x');
      d.write('d', '', 'dir');
      d.chmod('d', 0o755);
    },
    expected: ['deleted d/x'],
  },
  {
    name: 'a file came into an empty folder of which the record went',
    files: { e: 'DIR' },
    work: (d) => {
      d.rm('e');
      d.write('e/x', 'new');
    },
    expected: ['metadata e [mode]', 'added e/x'],
  },
  {
    name: 'the mode of a folder changed',
    files: { e: 'DIR', 'e/x': 'one' },
    work: (d) => d.chmod('e', 0o750),
    expected: ['metadata e [mode]'],
  },
  {
    name: 'a folder with files got a mode of its own',
    work: (d) => d.write('d', '', 'dir'),
    expected: ['metadata d [mode]'],
  },
  {
    name: 'a folder with a record and files was moved: only the files are told',
    files: { e: 'DIR', 'e/x': 'one' },
    work: (d) => d.mv('e', 'f'),
    expected: ['renamed f/x < e/x'],
  },
  {
    name: 'a folder with a record and files was deleted: only the files are told',
    files: { e: 'DIR', 'e/x': 'one' },
    work: (d) => {
      d.rm('e/x');
      d.rm('e');
    },
    expected: ['deleted e/x'],
  },
];

describe('changesOf', () => {
  for (const { name, files, work, expected } of CASES) {
    test(name, () => {
      expect(told(changed(files ?? FILES, work, { all: true }))).toEqual(expected);
      expect(told(changed(files ?? FILES, work, { all: false }))).toEqual(expected);
    });
  }

  test('tells id, size and hash; a new object has no id, and an unread one no hash', () => {
    const [edited, added] = changed(
      FILES,
      (d) => {
        d.edit('a', 'longer');
        d.write('n', 'x');
      },
      { all: false },
    );
    expect(edited).toMatchObject({ path: 'a', size: 6, id: expect.any(String) });
    expect(edited).not.toHaveProperty('blake3');
    expect(added).toEqual({ type: 'added', path: 'n', size: 1 });
  });
});

test('summaryOf counts every type', () => {
  const changes = changed(
    FILES,
    (d) => {
      d.rm('a');
      d.touch('b');
    },
    { all: true },
  );
  expect(summaryOf(changes)).toEqual({
    added: 0,
    modified: 0,
    renamed: 0,
    deleted: 1,
    metadata: 1,
    typechange: 0,
  });
});
