import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { bk, repository, run } from '../support/bk.ts';
import { runWithFault } from '../support/faults.ts';
import { records } from '../support/history.ts';
import { canMount, must, unmount } from '../support/mounts.ts';
import { needs, needsPrograms, needsRoot } from '../support/programs.ts';
import { atEnd, fastFolder } from '../support/temporary.ts';

/** SPEC 4.4: what cannot be listed is offline, never deleted. */
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

/** A repository of the user nobody, whom the modes of folders stop. */
function ofNobody(): string {
  const root = path.join(fastFolder('bk-nobody-'), 'repo');
  smallTree(root);
  fs.chmodSync(path.dirname(root), 0o755);
  must(['chown', '-R', '65534:65534', root]);
  repository(root, { through: NOBODY });
  return root;
}

const asNobody = { through: NOBODY };

describe('as a person whom modes stop', () => {
  test.for([
    ['a folder without r and x', 'photos/2019', 0o000],
    ['a folder with x and without r', 'photos/2019', 0o311],
    ['a folder with r and without x', 'photos/2019', 0o644],
    ['a folder two levels up', 'photos', 0o000],
  ] as const)('%s: its files are unreadable, not deleted', ([, folder, mode], context) => {
    needsRoot(context);
    needsPrograms(context, 'setpriv');
    const root = ofNobody();
    fs.chmodSync(path.join(root, folder), mode);
    const status = run(['-C', root, '--json', 'status'], asNobody);
    expect(status.code, status.stderr).toBe(1);
    const answer = JSON.parse(status.stdout);
    expect(answer.changes.filter((one: { type: string }) => one.type === 'deleted')).toEqual([]);
    expect(answer.unreadable.length).toBeGreaterThan(0);
    fs.appendFileSync(path.join(root, 'notes/todo.txt'), 'x');
    const committed = run(['-C', root, '--json', 'commit', '-m', 'x', '--confirm-deletions'], asNobody);
    expect(committed.code, committed.stderr).toBe(1);
    expect(JSON.parse(committed.stdout)).toMatchObject({ deletions: { confirmed: 0, kept: 0 } });
    expect([...records(root).keys()].filter((at) => at.startsWith('photos/2019/img_')).length).toBe(6);
    fs.chmodSync(path.join(root, folder), 0o755);
    expect(bk(['-C', root, 'status'], asNobody).changes.filter((one) => one.type !== 'metadata')).toEqual([]);
  });

  test('an unreadable file keeps its record and is named', (context) => {
    needsRoot(context);
    needsPrograms(context, 'setpriv');
    const root = ofNobody();
    fs.writeFileSync(path.join(root, 'notes/letter.txt'), 'changed and then locked\n');
    fs.chmodSync(path.join(root, 'notes/letter.txt'), 0o000);
    const done = run(['-C', root, '--json', 'commit', '-m', 'x'], asNobody);
    expect(done.code, done.stderr).toBe(1);
    expect(JSON.parse(done.stdout).unreadable).toMatchObject([{ path: 'notes/letter.txt' }]);
    expect(records(root).has('notes/letter.txt')).toBe(true);
  });

  test('a new file that cannot be read is named and not recorded with an invented content', (context) => {
    needsRoot(context);
    needsPrograms(context, 'setpriv');
    const root = ofNobody();
    fs.writeFileSync(path.join(root, 'notes/locked'), 'root only\n', { mode: 0o600 });
    const done = run(['-C', root, '--json', 'commit', '-m', 'x'], asNobody);
    expect(done.code, done.stderr).toBe(1);
    expect(records(root).has('notes/locked')).toBe(false);
  });
});

describe('a disk that is gone', () => {
  function withDisk(): { root: string; disk: string } {
    const root = fastFolder('bk-disk-');
    smallTree(root);
    const disk = path.join(root, 'disk');
    fs.mkdirSync(disk);
    must(['mount', '-t', 'tmpfs', 'none', disk]);
    atEnd(() => spawnSync('umount', ['-l', disk]));
    for (let i = 0; i < 4; i++) fs.writeFileSync(path.join(disk, `film ${i}`), `film ${i}\n`);
    fs.mkdirSync(path.join(disk, 'deep'));
    fs.writeFileSync(path.join(disk, 'deep/film'), 'deep\n');
    repository(root);
    return { root, disk };
  }

  test('unmounted: offline, not deleted; mounted again: as before', (context) => {
    needsRoot(context);
    needs(context, 'permission to mount', canMount());
    const { root, disk } = withDisk();
    unmount(disk);
    const status = run(['-C', root, '--json', 'status']);
    const answer = JSON.parse(status.stdout);
    expect(answer.changes.filter((one: { type: string }) => one.type === 'deleted')).toEqual([]);
    expect(JSON.stringify([...answer.unreadable, ...answer.skipped])).toMatch(/disk/);
    const committed = run([
      '-C',
      root,
      '--json',
      'commit',
      '-m',
      'x',
      '--confirm-deletions',
      '--allow-mass-delete',
    ]);
    expect([0, 1]).toContain(committed.code);
    expect([...records(root).keys()].filter((at) => /^disk\/.+[^/]$/.test(at)).sort()).toEqual([
      'disk/deep/film',
      'disk/film 0',
      'disk/film 1',
      'disk/film 2',
      'disk/film 3',
    ]);
  });

  test('unmounted and its folder removed, as automounters do: offline, too', (context) => {
    needsRoot(context);
    needs(context, 'permission to mount', canMount());
    const { root, disk } = withDisk();
    unmount(disk);
    fs.rmdirSync(disk);
    const { changes, unreadable } = bk(['-C', root, 'status']);
    expect(changes.filter((one) => one.type === 'deleted')).toEqual([]);
    expect(unreadable).toMatchObject([{ path: 'disk' }]);
  });

  test('the root itself: no repository there, and none is made', (context) => {
    needsRoot(context);
    needs(context, 'permission to mount', canMount());
    const point = fastFolder('bk-root-');
    must(['mount', '-t', 'tmpfs', 'none', point]);
    smallTree(point);
    repository(point);
    unmount(point);
    for (const verb of [['status'], ['commit', '-m', 'x'], ['recover', '--all'], ['reindex']]) {
      const done = run(['-C', point, ...verb]);
      expect([done.code, fs.readdirSync(point)], done.stderr).toEqual([4, []]);
    }
  });
});

test('an I/O error while listing a folder never yields a deletion', () => {
  const root = fastFolder('bk-eio-');
  smallTree(root);
  repository(root);
  fs.appendFileSync(path.join(root, 'notes/todo.txt'), 'x');
  let failed = 0;
  for (let n = 1; n <= 60; n++) {
    const done = runWithFault(['-C', root, '--json', 'status'], { FAIL_READ_AT: `${n}:EIO` });
    expect([0, 1, 4, 5], `read ${n}: ${done.stderr}`).toContain(done.code);
    expect(done.stderr, `read ${n}`).not.toMatch(/\n\s+at /);
    if (done.code > 0) failed += 1;
    if (done.code > 1) continue;
    const { changes } = JSON.parse(done.stdout);
    expect(
      changes.filter((one: { type: string }) => one.type === 'deleted'),
      `read ${n}`,
    ).toEqual([]);
  }
  expect(failed).toBeGreaterThan(3);
});
