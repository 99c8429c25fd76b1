import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { bk, errorOf, run } from '../support/bk.ts';
import { commit, family, has, knownHead, meet, move, read, remove, write } from '../support/family.ts';
import { fsckProblems, head, records } from '../support/history.ts';
import { mounted, must, needsFileSystem, unmount } from '../support/mounts.ts';
import { differences, snapshot } from '../support/snapshot.ts';

const small = (root: string) => smallTree(root);

function sound(...roots: readonly string[]): void {
  for (const root of roots) {
    expect(fsckProblems(root)).toEqual([]);
    expect(bk(['-C', root, 'check'])).toMatchObject({ ok: true, problems: [] });
    expect(bk(['-C', root, 'status'])).toMatchObject({ changes: [], unreadable: [] });
  }
}

function merge(root: string, args: readonly string[], expected = 0) {
  return bk(['-C', root, 'merge', ...args], { expect: [expected] });
}

describe('a disk that holds only a part', () => {
  const partial = () => family(small, { subset: ['music', 'notes'] });

  test('merges everything in its history, and of its folder what it holds', () => {
    const { laptop, old } = partial();
    move(laptop, 'photos/2019', 'archive/2019');
    write(laptop, 'archive/2019/new.jpg', 'new');
    move(laptop, 'top.bin', 'notes/top.bin');
    move(laptop, 'music/album/00 track.flac', 'best/00 track.flac');
    commit(laptop);
    write(old, 'notes/todo.txt', 'of the old disk');
    remove(old, 'notes/letter.txt');
    commit(old);
    const done = merge(old, ['laptop']);
    expect(done).toMatchObject({ result: 'merged', conflicts: [], missing: [] });
    // P02: what came in is fetched; what left the subset moves and stays; nothing is taken for deleted.
    expect(done['transferred']).toMatchObject({ files: 1 });
    expect(has(old, 'notes/top.bin')).toBe(true);
    expect(has(old, 'best/00 track.flac')).toBe(true);
    expect([has(old, 'archive'), has(old, 'photos')]).toEqual([false, false]);
    expect([...records(old).keys()]).toEqual(
      expect.arrayContaining(['archive/2019/img_3.jpg', 'archive/2019/new.jpg', 'bin/run.sh']),
    );
    bk(['-C', old, 'push', 'laptop'], { expect: [0] });
    expect(head(laptop)).toBe(head(old));
    expect(read(laptop, 'archive/2019/new.jpg')).toBe('new');
    expect([read(laptop, 'notes/todo.txt'), has(laptop, 'notes/letter.txt')]).toEqual([
      'of the old disk',
      false,
    ]);
    sound(laptop, old);
  });

  test('what no disk in reach has is missing, told, and comes later', () => {
    const { laptop, desktop, old } = partial();
    const pocket = path.join(path.dirname(laptop), 'pocket');
    bk(['-C', laptop, 'clone', '--subset', 'photos', pocket]);
    bk(['-C', pocket, 'remote', 'add', 'desktop', desktop]);
    bk(['-C', old, 'remote', 'add', 'pocket', pocket]);
    write(desktop, 'notes/far.txt', 'only on the desktop');
    commit(desktop);
    merge(pocket, ['desktop']);
    write(old, 'notes/mine.txt', 'mine');
    commit(old);
    fs.renameSync(desktop, `${desktop}.away`);
    const done = run(['-C', old, 'merge', 'pocket']);
    expect(done.code).toBe(1);
    expect(done.stdout).toMatch(/^missing, no copy can be reached: 1\n {2}notes\/far\.txt {2}\S/m);
    expect(done.stdout).toContain('`bk get PATH`');
    expect([has(old, 'notes/far.txt'), bk(['-C', old, 'status']).changes]).toEqual([false, []]);
    fs.renameSync(`${desktop}.away`, desktop);
    bk(['-C', old, 'get', 'notes/far.txt'], { expect: [0] });
    expect(read(old, 'notes/far.txt')).toBe('only on the desktop');
    sound(pocket, old);
  });
});

describe('a project with a .git of its own', () => {
  const GIT_ENV = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' };

  function git(project: string, ...args: string[]): string {
    const by = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org'];
    const done = spawnSync('git', ['-C', project, ...by, ...args], { encoding: 'utf8', env: GIT_ENV });
    if (done.status !== 0) throw new Error(`git ${args.join(' ')}: ${done.stderr}`);
    return done.stdout.trim();
  }

  function withProject() {
    return family((root) => {
      smallTree(root);
      const project = path.join(root, 'work/tool');
      write(root, 'work/tool/main.c', 'int main;\n');
      git(project, 'init', '-q', '--initial-branch=main');
      git(project, 'add', '.');
      git(project, 'commit', '-qm', 'first');
    });
  }

  function develop(root: string, file: string): string {
    const project = path.join(root, 'work/tool');
    write(root, `work/tool/${file}`, `by ${path.basename(root)}\n`);
    git(project, 'add', '.');
    git(project, 'commit', '-qm', file);
    return git(project, 'rev-parse', 'HEAD');
  }

  test('is kept twice if both worked in it, each whole for git; one side’s work simply comes', () => {
    const { laptop, desktop } = withProject();
    const alone = develop(laptop, 'one.c');
    commit(laptop);
    merge(desktop, ['laptop']);
    expect(git(path.join(desktop, 'work/tool'), 'rev-parse', 'HEAD')).toBe(alone);
    const ours = develop(laptop, 'ours.c');
    commit(laptop);
    const theirs = develop(desktop, 'theirs.c');
    move(desktop, 'notes/todo.txt', 'notes/done.txt');
    commit(desktop);
    meet(laptop, desktop);
    const [first, second] = [
      merge(laptop, [knownHead(laptop, 'desktop')], 1),
      merge(desktop, [knownHead(desktop, 'laptop')], 1),
    ];
    expect(first['conflicts']).toEqual([{ path: 'work/tool', kind: 'atomic', kept: [expect.any(String)] }]);
    expect(second['conflicts']).toEqual(first['conflicts']);
    const [{ kept }] = first['conflicts'] as [{ kept: [string] }];
    expect(kept[0]).toMatch(/^work\/tool \(conflict (laptop|desktop) \d{4}-\d\d-\d\d\)$/);
    expect(head(laptop)).toBe(head(desktop));
    expect(differences(snapshot(laptop), snapshot(desktop), { inode: false })).toEqual([]);
    const projects = ['work/tool', kept[0]].map((at) => path.join(laptop, at));
    expect(projects.map((project) => git(project, 'rev-parse', 'HEAD')).sort()).toEqual(
      [ours, theirs].sort(),
    );
    for (const project of projects) {
      expect(git(project, 'fsck', '--strict')).toBe('');
      expect(git(project, 'status', '--porcelain')).toBe('');
    }
    git(projects[0]!, 'pull', '-q', '--no-rebase', projects[1]!, 'main');
    expect(['ours.c', 'theirs.c'].map((file) => has(laptop, `work/tool/${file}`))).toEqual([true, true]);
    commit(laptop);
    sound(laptop, desktop);
  });

  test('in which git is at work is left alone, and named', () => {
    const { laptop, desktop } = withProject();
    develop(laptop, 'one.c');
    commit(laptop);
    write(desktop, 'notes/todo.txt', 'of the desktop');
    commit(desktop);
    // A lock that was there before is a file like any other; this one came after the commit and is not committed.
    fs.appendFileSync(path.join(desktop, '.bkignore'), 'index.lock\n');
    commit(desktop);
    write(desktop, 'work/tool/.git/index.lock', '');
    const before = [snapshot(desktop), head(desktop)];
    const refused = run(['-C', desktop, '--json', 'merge', 'laptop']);
    expect(refused.code).toBe(3);
    expect(errorOf(refused)).toMatchObject({
      message: expect.stringContaining('work/tool'),
      hint: expect.stringContaining('index.lock'),
    });
    expect([snapshot(desktop), head(desktop)]).toEqual(before);
    remove(desktop, 'work/tool/.git/index.lock');
    merge(desktop, ['laptop']);
    expect(has(desktop, 'work/tool/one.c')).toBe(true);
    sound(desktop);
  });
});

describe('disks of their own', () => {
  test('of three one is unplugged: the others merge, it follows when it is back', (context) => {
    needsFileSystem(context, 'ext4');
    const points = [mounted('ext4'), mounted('ext4'), mounted('ext4')];
    const { laptop, desktop, old } = family(small, { points });
    write(old, 'notes/of old.txt', 'of old');
    move(old, 'music/album', 'music/records');
    commit(old);
    const image = path.join(path.dirname(points[2]!), 'image');
    unmount(points[2]!);
    write(laptop, 'music/album/new.flac', 'new');
    commit(laptop);
    remove(desktop, 'top.bin');
    commit(desktop);
    const away = run(['-C', laptop, '--json', 'merge']);
    expect(away.code).toBe(1);
    expect(JSON.parse(away.stdout)).toMatchObject({
      result: 'merged',
      merged: [
        { name: 'desktop', result: 'merged' },
        { name: 'old', result: 'up-to-date', reason: expect.stringContaining('cannot reach') },
      ],
    });
    bk(['-C', laptop, 'sync'], { expect: [1] });
    expect(head(desktop)).toBe(head(laptop));
    must(['mount', '-o', 'loop', image, points[2]!]);
    const told = run(['-C', old, 'sync']);
    expect(told.code).toBe(0);
    expect(told.stdout).toMatch(/merged as [0-9a-f]{10}, 1 new, 1 deleted, 1 content fetched/);
    expect([head(laptop), head(desktop)]).toEqual([head(old), head(old)]);
    for (const root of [desktop, old])
      expect(differences(snapshot(laptop), snapshot(root), { inode: false })).toEqual([]);
    expect(read(desktop, 'music/records/new.flac')).toBe('new');
    expect([has(desktop, 'top.bin'), read(desktop, 'notes/of old.txt')]).toEqual([false, 'of old']);
    sound(laptop, desktop, old);
  });
});
