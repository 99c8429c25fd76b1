import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { manyFiles } from '../../fixtures/many-files.ts';
import { touch } from '../../fixtures/odd-names.ts';
import { replaceAtomically, smallTree } from '../../fixtures/small-tree.ts';
import { bk, repository, run } from '../support/bk.ts';
import { leftovers } from '../support/oracle.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { fastFolder } from '../support/temporary.ts';

function small(): { root: string; at: (name: string) => string } {
  const root = fastFolder('bk-recover-');
  smallTree(root);
  repository(root);
  return { root, at: (name) => path.join(root, name) };
}

describe('10,000 files deleted by rm -rf', () => {
  function thousands(): string {
    const root = fastFolder('bk-many-');
    manyFiles(root, 10_000);
    fs.mkdirSync(path.join(root, 'd0/empty/nested'), { recursive: true });
    fs.mkdirSync(path.join(root, 'd1/private'), { mode: 0o700 });
    fs.chmodSync(path.join(root, 'd0/s0/t0/file 3.txt'), 0o600);
    fs.chmodSync(path.join(root, 'd0/s0/t0/file 4.txt'), 0o755);
    fs.chmodSync(path.join(root, 'd0/s0'), 0o750);
    fs.symlinkSync('file 5.txt', path.join(root, 'd0/s0/t0/link'));
    touch(path.join(root, 'd0/s0/t0/file 5.txt'), '1969-07-20T20:17:40.123456789Z');
    touch(path.join(root, 'd0/s0/t0/link'), '2001-02-03T04:05:06.000000007Z');
    repository(root);
    return root;
  }
  const removeAll = (root: string) => execFileSync('sh', ['-c', 'rm -rf -- *'], { cwd: root });

  test('come back before any commit, with content, modes, times to the ns and empty folders', () => {
    const root = thousands();
    const before = snapshot(root);
    removeAll(root);
    const { recovered, failed } = bk(['-C', root, 'recover', '--all'], { expect: [0] });
    expect(failed).toEqual([]);
    expect(recovered.length).toBeGreaterThanOrEqual(10_001);
    expect(differences(before, snapshot(root), { inode: false })).toEqual([]);
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
    expect(leftovers(root)).toEqual([]);
  });

  test('stop a commit (3) unless allowed, and come back after it, too', () => {
    const root = thousands();
    const before = snapshot(root);
    removeAll(root);
    const refused = run(['-C', root, 'commit', '-m', 'gone', '--keep-deletions']);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/--allow-mass-delete/);
    bk(['-C', root, 'commit', '-m', 'gone', '--keep-deletions', '--allow-mass-delete'], { expect: [0] });
    expect(bk(['-C', root, 'recover', '--list']).recoverable.length).toBeGreaterThanOrEqual(10_001);
    bk(['-C', root, 'recover', '--all'], { expect: [0] });
    expect(differences(before, snapshot(root), { inode: false })).toEqual([]);
  });
});

test('an earlier version comes back after an atomic save, committed or not', () => {
  const { root, at } = small();
  const original = fs.readFileSync(at('notes/letter.txt'), 'utf8');
  const stat = fs.lstatSync(at('notes/letter.txt'), { bigint: true });
  replaceAtomically(at('notes/letter.txt'), 'spoilt\n');
  expect(bk(['-C', root, 'restore', 'notes/letter.txt']).failed).toEqual([]);
  expect(fs.readFileSync(at('notes/letter.txt'), 'utf8')).toBe(original);
  replaceAtomically(at('notes/letter.txt'), 'second version\n');
  bk(['-C', root, 'commit', '-m', 'second']);
  const list = bk(['-C', root, 'recover', '--list']).recoverable;
  expect(list.filter((one) => one.path === 'notes/letter.txt').length).toBeGreaterThanOrEqual(1);
  bk(['-C', root, 'restore', 'notes/letter.txt', '--at', 'HEAD~1'], { expect: [0] });
  expect(fs.readFileSync(at('notes/letter.txt'), 'utf8')).toBe(original);
  expect(fs.lstatSync(at('notes/letter.txt'), { bigint: true }).mtimeNs).toBe(stat.mtimeNs);
  bk(['-C', root, 'commit', '-m', 'back']);
  bk(['-C', root, 'restore', 'notes/letter.txt', '--at', 'HEAD~1'], { expect: [0] });
  expect(fs.readFileSync(at('notes/letter.txt'), 'utf8')).toBe('second version\n');
});

test('an overwritten version comes back beside the new one by recover', () => {
  const { root, at } = small();
  const original = fs.readFileSync(at('notes/letter.txt'), 'utf8');
  replaceAtomically(at('notes/letter.txt'), 'second version\n');
  bk(['-C', root, 'commit', '-m', 'second']);
  const { recovered } = bk(['-C', root, 'recover', 'notes/letter.txt', '--at', 'HEAD~1'], { expect: [0] });
  expect(recovered.length).toBe(1);
  expect(recovered[0]?.path).toMatch(/^notes\/letter \(recovered \d{4}-\d\d-\d\d\)\.txt$/);
  expect(fs.readFileSync(at(recovered[0]?.path ?? ''), 'utf8')).toBe(original);
  expect(fs.readFileSync(at('notes/letter.txt'), 'utf8')).toBe('second version\n');
});

describe('recover', () => {
  test('never overwrites: what is in the way stays, the file comes back under another name', () => {
    const { root, at } = small();
    const bytes = fs.readFileSync(at('top.bin'));
    fs.rmSync(at('top.bin'));
    bk(['-C', root, 'commit', '-m', 'gone', '--keep-deletions']);
    fs.writeFileSync(at('top.bin'), 'a new one\n');
    bk(['-C', root, 'commit', '-m', 'a new one']);
    const { recovered } = bk(['-C', root, 'recover', 'top.bin', '--at', 'HEAD~2'], { expect: [0] });
    expect(recovered[0]?.path).toMatch(/^top \(recovered \d{4}-\d\d-\d\d\)\.bin$/);
    expect(fs.readFileSync(at(recovered[0]?.path ?? '')).equals(bytes)).toBe(true);
    expect(fs.readFileSync(at('top.bin'), 'utf8')).toBe('a new one\n');
  });

  test('--to keeps relative paths and leaves the tree alone; --dry-run touches nothing', () => {
    const { root, at } = small();
    const bytes = fs.readFileSync(at('notes/todo.txt'));
    fs.rmSync(at('notes/todo.txt'));
    const before = snapshot(root, { withBk: false });
    expect(bk(['-C', root, 'recover', '--all', '--dry-run'], { expect: [0] }).recovered.length).toBe(1);
    expect(differences(before, snapshot(root))).toEqual([]);
    const to = fastFolder('bk-to-');
    bk(['-C', root, 'recover', 'notes/todo.txt', '--to', to], { expect: [0] });
    expect(fs.readFileSync(path.join(to, 'notes/todo.txt')).equals(bytes)).toBe(true);
    expect(differences(before, snapshot(root))).toEqual([]);
  });

  test('a confirmed deletion is let go in the confirming commit, and only then', () => {
    const { root, at } = small();
    fs.rmSync(at('top.bin'));
    fs.rmSync(at('notes/todo.txt'));
    bk(['-C', root, 'commit', '-m', 'kept', '--keep-deletions'], { expect: [0] });
    expect(
      bk(['-C', root, 'recover', '--list'])
        .recoverable.map((one) => [one.path, one.confirmed])
        .sort(),
    ).toEqual([
      ['notes/todo.txt', false],
      ['top.bin', false],
    ]);
    fs.rmSync(at('music/album/01 track.flac'));
    const { deletions } = bk(['-C', root, 'commit', '-m', 'confirmed', '--confirm-deletions'], {
      expect: [0],
    });
    expect(deletions).toMatchObject({ confirmed: 1, kept: 0 });
    const left = bk(['-C', root, 'recover', '--list'])
      .recoverable.map((one) => one.path)
      .sort();
    expect(left).toEqual(['notes/todo.txt', 'top.bin']);
    expect(run(['-C', root, 'recover', 'music/album/01 track.flac']).code).toBe(1);
  });

  test('does not believe a net entry whose bytes were changed through a hard link', () => {
    const { root, at } = small();
    fs.appendFileSync(at('top.bin'), 'edited in place, through the link');
    fs.rmSync(at('top.bin'));
    const done = run(['-C', root, '--json', 'recover', 'top.bin']);
    expect(done.code).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({ recovered: [], failed: [{ path: 'top.bin' }] });
    expect(fs.existsSync(at('top.bin'))).toBe(false);
  });

  test('a file recovered by hard link keeps its protection', () => {
    const { root, at } = small();
    fs.rmSync(at('top.bin'));
    bk(['-C', root, 'recover', 'top.bin'], { expect: [0] });
    fs.rmSync(at('top.bin'));
    bk(['-C', root, 'recover', 'top.bin'], { expect: [0] });
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
  });
});

test('restore --only puts back times and modes without contents', () => {
  const { root, at } = small();
  const before = snapshot(root);
  fs.utimesSync(at('top.bin'), 1, 1);
  fs.chmodSync(at('bin/run.sh'), 0o600);
  bk(['-C', root, 'restore', '.', '--only', 'mtime,mode'], { expect: [0] });
  expect(differences(before, snapshot(root))).toEqual([]);
});
