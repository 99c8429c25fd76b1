import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import type { RepoPath } from '@bk/core';
import { describe, expect, test } from 'vitest';
import { short, TestTree } from '../tree.fixture.ts';

const told = (problems: readonly { readonly path: RepoPath; readonly reason: string }[]) =>
  problems.map(({ path, reason }) => `${path}: ${reason}`);
const NOBODY = 65_534;

/** Root may read everything; then the work is done as somebody who may not. */
async function unprivileged(tree: TestTree, work: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return work();
  execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, tree.base]);
  process.setegid!(NOBODY);
  process.seteuid!(NOBODY);
  try {
    await work();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}

describe('what cannot be looked at stays in the head as it was', () => {
  test.each([
    ['not at all', 0o000],
    ['names, but nothing of them', 0o400],
    ['only what is known by name', 0o100],
  ])('a folder of which is readable: %s', async (_, mode) => {
    using tree = new TestTree();
    tree.write('d/x', 'x');
    tree.write('d/e/y', 'y');
    tree.write('only/z', 'z');
    tree.write('free', 'f');
    await unprivileged(tree, async () => {
      await tree.commit();
      const before = await tree.records();
      fs.chmodSync(tree.at('d'), mode);
      fs.unlinkSync(tree.at('free'));
      const seen = await tree.status();
      expect(short(seen.changes).filter((change) => change.startsWith('deleted'))).toEqual(['deleted free']);
      expect(told(seen.unreadable).filter((each) => each.startsWith('d')).length).toBeGreaterThan(0);
      await tree.commit({ paths: ['d' as RepoPath] });
      await tree.verifyIndex();
      const made = await tree.commit();
      expect(made.unreadable).toEqual(seen.unreadable);
      await tree.verifyIndex();
      const after = await tree.records();
      for (const file of ['d/x', 'd/e/y']) expect(after.get(file)).toEqual(before.get(file));
      fs.chmodSync(tree.at('d'), 0o755);
      await tree.commit();
      expect(await tree.records()).toEqual(new Map([...before].filter(([file]) => file !== 'free')));
      await tree.verify();
    });
  });

  test('a file: edited, or moved and edited, it stays what it was until it can be read', async () => {
    using tree = new TestTree();
    tree.write('a', 'one');
    tree.write('b', 'two');
    tree.write('d/only', 'three');
    await unprivileged(tree, async () => {
      await tree.commit();
      const before = await tree.records();
      for (const file of ['a', 'b', 'd/only']) {
        fs.writeFileSync(tree.at(file), `${file} edited`);
        fs.chmodSync(tree.at(file), 0);
      }
      tree.mv('b', 'moved');
      tree.mv('d/only', 'd/renamed');
      const made = await tree.commit();
      expect(told(made.unreadable)).toEqual([
        'a: permission denied',
        'd/renamed: permission denied',
        'moved: permission denied',
      ]);
      expect(made.commit).toBe(null);
      expect(await tree.records()).toEqual(before);
      for (const file of ['a', 'moved', 'd/renamed']) fs.chmodSync(tree.at(file), 0o644);
      await tree.commit();
      expect((await tree.records()).get('moved')?.id).toBe(before.get('b')!.id);
      expect((await tree.records()).get('d/renamed')?.id).toBe(before.get('d/only')!.id);
      await tree.verify();
    });
  });

  test('an empty folder that is filled with what cannot be read is not lost', async () => {
    using tree = new TestTree();
    tree.mkdir('d');
    await unprivileged(tree, async () => {
      await tree.commit();
      tree.write('d/secret', 'x');
      fs.chmodSync(tree.at('d/secret'), 0);
      await tree.commit();
      expect([...(await tree.records()).keys()]).toEqual(['d/.bkdir']);
      fs.chmodSync(tree.at('d/secret'), 0o644);
      await tree.commit();
      await tree.verify();
    });
  });

  test('a file whose place a folder has taken that cannot be read', async () => {
    using tree = new TestTree();
    tree.write('a', 'one');
    await unprivileged(tree, async () => {
      await tree.commit();
      const before = await tree.records();
      fs.unlinkSync(tree.at('a'));
      tree.mkdir('a');
      fs.chmodSync(tree.at('a'), 0);
      expect(told((await tree.commit()).unreadable)).toEqual(['a: permission denied']);
      expect(await tree.records()).toEqual(before);
      fs.chmodSync(tree.at('a'), 0o755);
      expect((await tree.commit()).changes).toMatchObject([{ type: 'typechange', path: 'a' }]);
      await tree.verify();
    });
  });
});

describe('another repository', () => {
  test('is a boundary also where it was tracked before: nothing below is deleted', async () => {
    using tree = new TestTree();
    tree.write('sub/x', 'x');
    tree.write('sub/deep/y', 'y');
    await tree.commit();
    const before = await tree.records();
    tree.mkdir('sub/.bk');
    fs.unlinkSync(tree.at('sub/deep/y'));
    for (const paths of [['sub' as RepoPath], []]) {
      const made = await tree.commit({ paths });
      expect(made).toMatchObject({ commit: null, changes: [] });
      expect(told(made.skipped)).toEqual(['sub: another repository']);
    }
    expect(await tree.records()).toEqual(before);
    fs.rmdirSync(tree.at('sub/.bk'));
    expect(await tree.changes()).toEqual(['deleted sub/deep/y']);
  });

  test.each(['file', 'link'])('a %s called .bk makes none', async (kind) => {
    using tree = new TestTree();
    tree.write('sub/x', 'x');
    await tree.commit();
    if (kind === 'file') fs.writeFileSync(tree.at('sub/.bk'), '');
    else fs.symlinkSync('..', tree.at('sub/.bk'));
    tree.write('sub/y', 'y');
    fs.unlinkSync(tree.at('sub/x'));
    const made = await tree.commit();
    expect(short(made.changes)).toEqual(['deleted sub/x', 'added sub/y']);
    expect(told(made.skipped)).toEqual(['sub/.bk: a name that bk keeps for itself']);
    await tree.verifyIndex();
  });

  test('disguises of .bk are skipped, those of .git and .bkdir are tracked under other names', async () => {
    using tree = new TestTree();
    for (const name of ['.BK', '.bk ', '.Bk.', '.git', '.bkdir', 'GIT~1']) tree.write(`d/${name}`, name);
    tree.mkdir('e/.BK');
    tree.write('e/x', 'x');
    const made = await tree.commit();
    expect(
      made.skipped.map(({ path }) => path).filter((path) => path.startsWith('d/') || path.startsWith('e/'))
        .length,
    ).toBe(4);
    expect([...(await tree.records()).keys()].sort()).toEqual(['d/%2Ebkdir', 'd/%2Egit', 'd/%47IT~1', 'e/x']);
    await tree.verifyIndex();
    tree.fsck();
    expect(await tree.changes()).toEqual([]);
  });
});

describe('.bkignore', () => {
  test('what is tracked stays tracked, what is new is not', async () => {
    using tree = new TestTree();
    tree.write('build/old', 'old');
    tree.write('keep', 'x');
    await tree.commit();
    tree.write('.bkignore', 'build/\n*.log\n');
    tree.write('build/new', 'new');
    tree.write('fresh.log', 'x');
    tree.write('build/old', 'edited');
    expect(short((await tree.commit()).changes)).toEqual([
      'added .bkignore',
      'modified build/old (content mtime)',
    ]);
    await tree.verifyIndex();
    expect(await tree.changes()).toEqual([]);
    fs.unlinkSync(tree.at('build/old'));
    expect(short((await tree.commit()).changes)).toEqual(['deleted build/old']);
    await tree.verifyIndex();
  });

  test('an ignored folder is not even opened', async () => {
    using tree = new TestTree();
    tree.write('.bkignore', '/private/\n');
    tree.write('private/x', 'x');
    await unprivileged(tree, async () => {
      fs.chmodSync(tree.at('private'), 0);
      expect((await tree.commit()).unreadable).toEqual([]);
    });
  });
});

const MOUNTS = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;

describe.skipIf(!MOUNTS)('mount points (needs root)', () => {
  const mount = (tree: TestTree, folder: string) =>
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'bk-test', tree.at(folder).toString()]);
  const unmount = (tree: TestTree, folder: string) => execFileSync('umount', [tree.at(folder).toString()]);

  test('what was on one that is none now is offline', async () => {
    using tree = new TestTree();
    tree.mkdir('disk');
    tree.write('x', 'x');
    mount(tree, 'disk');
    try {
      tree.write('disk/a/b', 'far away');
      await tree.commit();
    } finally {
      unmount(tree, 'disk');
    }
    const before = await tree.records();
    const seen = await tree.status();
    expect(seen.changes).toEqual([]);
    expect(told(seen.unreadable)).toEqual(['disk: offline: nothing is mounted here now']);
    fs.rmdirSync(tree.at('disk'));
    fs.writeFileSync(tree.at('disk'), 'in its place');
    expect(told((await tree.commit()).unreadable)).toEqual([
      'disk: offline: nothing is mounted here now',
      'disk: in the place of a folder that is offline',
    ]);
    expect(await tree.records()).toEqual(before);
    await tree.verifyIndex();
  });

  test('a disk that is mounted later over what was moved onto it', async () => {
    using tree = new TestTree();
    tree.write('disk/a/b', 'to be moved');
    await tree.commit();
    const before = await tree.records();
    execFileSync('cp', ['-a', tree.at('disk').toString(), `${tree.base}/aside`]);
    fs.rmSync(tree.at('disk').toString(), { recursive: true });
    tree.mkdir('disk');
    mount(tree, 'disk');
    try {
      execFileSync('cp', ['-a', `${tree.base}/aside/.`, tree.at('disk').toString()]);
      expect(await tree.changes()).toEqual([]);
    } finally {
      unmount(tree, 'disk');
    }
    expect((await tree.commit()).changes).toEqual([]);
    expect(await tree.records()).toEqual(before);
  });
});

describe('a damaged index', () => {
  test('a row that is missing or damaged is never a reason for new ids or deletions', async () => {
    using tree = new TestTree();
    tree.write('d/x', 'x');
    tree.write('d/e/y', 'y');
    tree.write('z', 'z');
    await tree.commit();
    const before = await tree.records();
    const { default: Database } = await import('better-sqlite3');
    for (const harm of [
      `DELETE FROM directories WHERE path = 'd/e'`,
      `DELETE FROM directories WHERE path = 'd'`,
      `DELETE FROM directories WHERE path = ''`,
      `UPDATE directories SET row = zeroblob(100) WHERE path = 'd'`,
      `UPDATE directories SET row = zeroblob(100) WHERE path = ''`,
      'DELETE FROM directories',
    ]) {
      const db = new Database(`${tree.root}/.bk/index.sqlite`);
      db.exec(harm);
      db.close();
      expect((await tree.status()).changes, harm).toEqual([]);
      await tree.verifyIndex();
    }
    const db = new Database(`${tree.root}/.bk/index.sqlite`);
    db.exec(`UPDATE directories SET row = zeroblob(100) WHERE path = 'd'`);
    db.close();
    fs.rmSync(tree.at('d/e').toString(), { recursive: true });
    tree.write('d/x', 'edited');
    expect(short((await tree.commit()).changes)).toEqual(['deleted d/e/y', 'modified d/x (content mtime)']);
    expect((await tree.records()).get('d/x')?.id).toBe(before.get('d/x')!.id);
    await tree.verify();
  });
});
