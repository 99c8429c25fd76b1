import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { replaceAtomically, smallTree } from '../../fixtures/small-tree.ts';
import { bk, explained, repository, run } from '../support/bk.ts';
import { fsckProblems } from '../support/history.ts';
import { type FileSystem, mounted, must, needsFileSystem } from '../support/mounts.ts';
import { netContents } from '../support/oracle.ts';
import { contentsOf, differences, snapshot } from '../support/snapshot.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** What the net does on a file system, and that doctor says so. */
interface Protection {
  readonly fileSystem: FileSystem;
  /** How many of deletion, replacement and overwriting in place one survives. */
  readonly deletion: boolean;
  readonly overwrite: boolean;
}

const TABLE: readonly Protection[] = [
  { fileSystem: 'ext4', deletion: true, overwrite: false },
  { fileSystem: 'btrfs', deletion: true, overwrite: true },
  { fileSystem: 'xfs', deletion: true, overwrite: true },
  { fileSystem: 'tmpfs', deletion: true, overwrite: false },
  { fileSystem: 'exfat', deletion: true, overwrite: true }, // copies of small files only: said as such
];

interface Doctor {
  readonly fileSystem: string;
  readonly protection: Readonly<Record<'deletion' | 'replacement' | 'overwrite', unknown>>;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
}

/** Whatever words doctor uses: a plain no reads as false. */
function protects(said: unknown): boolean {
  return said === true || (typeof said === 'string' && !/^(no|none|false|not|unprotected)\b/i.test(said));
}

describe.each(TABLE)('$fileSystem', ({ fileSystem, deletion, overwrite }) => {
  test('doctor says truthfully what is protected', (context) => {
    needsFileSystem(context, fileSystem);
    const point = mounted(fileSystem);
    const root = path.join(point, 'repo');
    fs.mkdirSync(root);
    for (let i = 0; i < 30; i++) fs.writeFileSync(path.join(root, `file ${i}.txt`), `content ${i}\n`);
    repository(root);
    expect(fsckProblems(root)).toEqual([]);
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
    const doctor = bk(['-C', root, 'doctor']) as unknown as Doctor;
    expect(doctor.fileSystem).toMatch(
      fileSystem === 'exfat' ? /exfat|fuse/ : new RegExp(fileSystem === 'ext4' ? 'ext' : fileSystem),
    );
    const before = snapshot(root);
    expect({ deletion: protects(doctor.protection.deletion) }).toEqual({ deletion });
    fs.rmSync(path.join(root, 'file 1.txt'));
    const back = run(['-C', root, 'recover', 'file 1.txt']);
    expect({ deletion: back.code === 0 }).toEqual({ deletion });
    if (deletion) expect(differences(before, snapshot(root), { inode: false })).toEqual([]);
    replaceAtomically(path.join(root, 'file 3.txt'), 'saved by an editor\n');
    expect(protects(doctor.protection.replacement)).toBe(
      netContents(root).has(before.get('file 3.txt')?.blake3 ?? ''),
    );
    expect({ overwrite: protects(doctor.protection.overwrite) }).toEqual({ overwrite });
    fs.writeFileSync(path.join(root, 'file 2.txt'), 'written over in place\n');
    const earlier = [...contentsOf(before)].filter((hash) => before.get('file 2.txt')?.blake3 === hash);
    expect({ overwrite: netContents(root).has(earlier[0] ?? '') }).toEqual({ overwrite });
  });
});

test('exFAT: what it cannot keep is no change, and a move of the disk is none', (context) => {
  needsFileSystem(context, 'exfat');
  const root = mounted('exfat');
  for (const name of ['a.txt', 'b.txt', 'sub/c.txt']) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), `${name}\n`);
  }
  bk(['init', root]);
  bk(['-C', root, 'commit', '-m', 'first'], { expect: [0] });
  expect(bk(['-C', root, 'commit', '-m', 'second']).commit).toBeNull();
  fs.renameSync(path.join(root, 'a.txt'), path.join(root, 'sub/moved.txt'));
  expect(bk(['-C', root, 'commit', '-m', 'moved']).changes).toMatchObject([
    { type: 'renamed', from: 'a.txt', path: 'sub/moved.txt' },
  ]);
  fs.rmSync(path.join(root, 'b.txt'));
  bk(['-C', root, 'recover', 'b.txt'], { expect: [0] });
  expect(fs.readFileSync(path.join(root, 'b.txt'), 'utf8')).toBe('b.txt\n');
  expect(bk(['-C', root, 'status']).changes).toEqual([]);
});

test('exFAT: what others did to folders comes without what the disk makes of their modes', (context) => {
  needsFileSystem(context, 'exfat');
  const there = path.join(temporaryFolder('bk-there-'), 'there');
  const write = (name: string): void => {
    fs.mkdirSync(path.dirname(path.join(there, name)), { recursive: true });
    fs.writeFileSync(path.join(there, name), name);
  };
  for (const name of ['top', 'plain/a', 'closed/a', 'opened/a', 'closes/a']) write(name);
  for (const name of ['closed', 'opened']) fs.chmodSync(path.join(there, name), 0o700);
  repository(there);
  const here = path.join(mounted('exfat'), 'here');
  bk(['clone', there, here], { expect: [0] });
  for (const name of ['top too', 'plain/b', 'closed/b', 'opened/b', 'new/a', 'new closed/a']) write(name);
  fs.chmodSync(path.join(there, 'opened'), 0o755);
  fs.chmodSync(path.join(there, 'closes'), 0o700);
  fs.chmodSync(path.join(there, 'new closed'), 0o700);
  fs.renameSync(path.join(there, 'plain'), path.join(there, 'moved'));
  bk(['-C', there, 'commit', '-m', 'more'], { expect: [0] });
  bk(['-C', here, 'merge', 'origin'], { expect: [0] });
  expect(bk(['-C', here, 'status'], { expect: [0] }).changes).toEqual([]);
  expect(bk(['-C', here, 'commit', '-m', 'nothing']).commit).toBeNull();
  expect(bk(['-C', here, 'check'], { expect: [0] })['problems']).toEqual([]);
});

test('a full disk: exit 4, in words, nothing lost, nothing left behind', (context) => {
  needsFileSystem(context, 'tmpfs');
  const root = mounted('tmpfs');
  smallTree(root);
  bk(['init', root]);
  bk(['-C', root, 'commit', '-m', 'first']);
  fs.writeFileSync(path.join(root, 'filler'), Buffer.alloc(1 << 20));
  const before = snapshot(root);
  const filler = fs.openSync(path.join(root, 'filler-2'), 'w');
  try {
    for (;;) fs.writeSync(filler, Buffer.alloc(4096, 1));
  } catch {
    // full
  } finally {
    fs.closeSync(filler);
  }
  const done = run(['-C', root, 'commit', '-m', 'no room']);
  expect(done.code, done.stderr).toBe(4);
  expect(done.stderr).toMatch(/no space|full|ENOSPC/i);
  fs.rmSync(path.join(root, 'filler-2'));
  expect(differences(before, snapshot(root))).toEqual([]);
  bk(['-C', root, 'commit', '-m', 'room again'], { expect: [0] });
  expect(fsckProblems(root)).toEqual([]);
});

test('a file system that may only be read: status works, commit says why it cannot (4)', (context) => {
  needsFileSystem(context, 'ext4');
  const point = mounted('ext4');
  const root = path.join(point, 'repo');
  smallTree(root);
  repository(root);
  fs.appendFileSync(path.join(root, 'notes/todo.txt'), 'x');
  must(['mount', '-o', 'remount,ro', point]);
  expect(bk(['-C', root, 'status'], { expect: [0] }).changes).toMatchObject([{ path: 'notes/todo.txt' }]);
  const done = run(['-C', root, 'commit', '-m', 'x']);
  expect([done.code, explained(done)], done.stderr).toEqual([4, true]);
  must(['mount', '-o', 'remount,rw', point]);
  bk(['-C', root, 'commit', '-m', 'x'], { expect: [0] });
});
