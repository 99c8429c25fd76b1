import fs from 'node:fs';
import type { RepoPath } from '@bk/core';
import { lock } from '@bk/store';
import { describe, expect, test } from 'vitest';
import { short, TestTree } from './tree.fixture.ts';

const paths = (...list: string[]) => ({ paths: list as RepoPath[] });

describe('a commit of everything', () => {
  test('the first one, of every kind of thing, and then nothing to do', async () => {
    using tree = new TestTree();
    tree.write('a.txt', 'one');
    tree.write('deep/er/b', '');
    tree.mkdir('empty');
    fs.symlinkSync('nowhere', tree.at('link'));
    fs.linkSync(tree.at('a.txt'), tree.at('also a'));
    fs.chmodSync(tree.at('deep'), 0o700);
    const made = await tree.commit({ message: 'first' });
    expect(short(made.changes)).toEqual([
      'added a.txt',
      'added also a',
      'added deep/er/b',
      'added empty',
      'added link',
    ]);
    expect(made.summary.added).toBe(5);
    expect(made.parents).toEqual([]);
    await tree.verify();
    expect(await tree.commit()).toMatchObject({ commit: null, parents: [made.commit], changes: [] });
  });

  test('git sees the renames as bk tells them, and records keep their blobs', async () => {
    using tree = new TestTree();
    for (let i = 0; i < 30; i++) tree.write(`from/${i}`, `content ${i}`);
    await tree.commit();
    tree.mv('from', 'to');
    const made = await tree.commit();
    const renames = tree
      .git('diff', '-M100%', '--name-status', 'HEAD~1', 'HEAD')
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(renames.map(([how, from, to]) => `${how} ${from} > ${to}`).sort()).toEqual(
      made.changes.map(({ from, path }) => `R100 ${from} > ${path}`).sort(),
    );
    expect(renames).toHaveLength(30);
    await tree.verify();
  });

  test('a dry run says what would be done and touches nothing', async () => {
    using tree = new TestTree();
    tree.write('a', 'one');
    tree.write('b/c', 'two');
    await tree.commit();
    fs.unlinkSync(tree.at('a'));
    tree.write('new', 'three');
    tree.write('b/c', 'changed');
    const state = () =>
      (fs.readdirSync(tree.root, { recursive: true, encoding: 'utf8' }) as string[])
        .filter((name) => !/^\.bk\/(index|lock)\.sqlite/.test(name))
        .sort()
        .map((name) => {
          const { ino, size, mtimeNs, ctimeNs, mode, nlink } = fs.lstatSync(`${tree.root}/${name}`, {
            bigint: true,
          });
          return [name, ino, size, mtimeNs, name === '.bk' ? 0n : ctimeNs, mode, nlink].join(' ');
        });
    const before = state().filter((line) => !line.startsWith('.bk '));
    const plan = await tree.commit({ dryRun: true });
    expect(plan).toMatchObject({ commit: null, deletions: { confirmed: 0, kept: 1 } });
    expect(short(plan.changes)).toEqual(['deleted a', 'modified b/c (content mtime)', 'added new']);
    expect(state().filter((line) => !line.startsWith('.bk '))).toEqual(before);
    expect((await tree.commit()).changes).toEqual(plan.changes);
  });

  test('a dry run needs no lock', async () => {
    using tree = new TestTree();
    tree.write('a', 'one');
    const held = lock(`${tree.root}/.bk/lock.sqlite`);
    try {
      expect((await tree.commit({ dryRun: true })).changes).toHaveLength(1);
      await expect(tree.with((repo) => repo.beginWriting(0))).rejects.toMatchObject({ code: 'locked' });
    } finally {
      held.release();
    }
  });

  test('deletions are confirmed, kept or asked for, and the commit says so', async () => {
    using tree = new TestTree();
    for (const name of ['a', 'b', 'c']) tree.write(name, name);
    await tree.commit();
    const asked: string[][] = [];
    const confirm = (policy: 'confirmed' | 'kept') => async (deleted: Parameters<typeof short>[0]) => {
      asked.push(short(deleted));
      return policy;
    };
    fs.unlinkSync(tree.at('a'));
    expect((await tree.commit({ message: 'm', confirm: confirm('confirmed') })).deletions).toEqual({
      confirmed: 1,
      kept: 0,
    });
    expect(tree.git('log', '-1', '--format=%(trailers:key=Bk-Deletions,valueonly)').trim()).toBe('confirmed');
    fs.unlinkSync(tree.at('b'));
    expect((await tree.commit({ message: 'm' })).deletions).toEqual({ confirmed: 0, kept: 1 });
    expect(tree.git('log', '-1', '--format=%(trailers:key=Bk-Deletions,valueonly)').trim()).toBe('kept');
    tree.write('c', 'edited');
    await tree.commit({ message: 'm', confirm: confirm('confirmed') });
    expect(tree.git('log', '-1', '--format=%(trailers:key=Bk-Deletions,valueonly)').trim()).toBe('');
    expect(asked).toEqual([['deleted a']]);
    await tree.verify();
  });

  test('an earlier version that was written over in place is told as lost, one that was replaced is not', async () => {
    using tree = new TestTree();
    tree.write('in place', 'one');
    tree.write('replaced', 'two');
    await tree.commit();
    expect((await tree.commit()).overwritten).toBe(0);
    fs.writeFileSync(tree.at('in place'), 'one, and more');
    fs.writeFileSync(tree.at('new'), 'two, and more');
    fs.renameSync(tree.at('new'), tree.at('replaced'));
    const links = fs.statSync(tree.at('in place')).nlink > 1; // reflinks and copies keep it
    expect((await tree.commit()).overwritten).toBe(links ? 1 : 0);
    await tree.verify();
  });
});

describe('the brake', () => {
  test('more than half of 20 files: refused, nothing is changed; folders do not count', async () => {
    using tree = new TestTree();
    for (let i = 0; i < 20; i++) tree.write(`d${i}/f`, `${i}`);
    for (let i = 0; i < 30; i++) tree.mkdir(`e${i}`);
    await tree.commit();
    for (let i = 0; i < 30; i++) fs.rmdirSync(tree.at(`e${i}`));
    for (let i = 0; i < 10; i++) fs.rmSync(tree.at(`d${i}`).toString(), { recursive: true });
    expect((await tree.commit()).summary.deleted).toBe(40);
    for (let i = 0; i < 10; i++) tree.write(`d${i}/f`, `new ${i}`);
    await tree.commit();
    for (let i = 0; i < 11; i++) fs.unlinkSync(tree.at(`d${i}/f`));
    const head = tree.git('rev-parse', 'main');
    await expect(tree.commit()).rejects.toMatchObject({ code: 'refused' });
    expect(tree.git('rev-parse', 'main')).toBe(head);
    expect((await tree.commit({ allowMassDelete: true })).summary.deleted).toBe(11);
    await tree.verify();
  });

  test('a partial commit is measured by what it does itself', async () => {
    using tree = new TestTree();
    for (let i = 0; i < 20; i++) tree.write(`d/${i}`, `${i}`);
    await tree.commit();
    for (let i = 0; i < 15; i++) fs.unlinkSync(tree.at(`d/${i}`));
    await expect(tree.commit(paths('d'))).rejects.toMatchObject({ code: 'refused' });
    expect((await tree.commit(paths('d/1'))).summary.deleted).toBe(1);
    await tree.verifyIndex();
  });
});

describe('a partial commit', () => {
  test('records its paths only; the rest is there afterwards as before', async () => {
    using tree = new TestTree();
    for (const name of ['a/x', 'a/y', 'b/x']) tree.write(name, name);
    await tree.commit();
    for (const name of ['a/x', 'a/y', 'b/x']) tree.write(name, `${name} edited`);
    const made = await tree.commit(paths('a/x', 'nothing/there'));
    expect(short(made.changes)).toEqual(['modified a/x (content mtime)']);
    await tree.verifyIndex();
    expect(await tree.changes()).toEqual(['modified a/y (content mtime)', 'modified b/x (content mtime)']);
    await tree.commit();
    await tree.verify();
  });

  test('what it displaces comes along: a rotation never drops an object', async () => {
    using tree = new TestTree();
    for (const name of ['a', 'b', 'c']) tree.write(name, `content of ${name}`);
    await tree.commit();
    const before = await tree.records();
    tree.mv('a', 'z');
    tree.mv('b', 'a');
    tree.mv('c', 'b');
    const made = await tree.commit(paths('c'));
    expect(short(made.changes)).toEqual(['renamed b > a', 'renamed c > b', 'renamed a > z']);
    const after = await tree.records();
    expect([after.get('z')?.id, after.get('a')?.id, after.get('b')?.id]).toEqual(
      ['a', 'b', 'c'].map((name) => before.get(name)!.id),
    );
    await tree.verify();
  });

  test('a file that takes the place of a folder, whose files live on elsewhere', async () => {
    using tree = new TestTree();
    tree.write('d/x', 'x');
    tree.write('d/e/y', 'y');
    tree.write('f', 'f');
    await tree.commit();
    const before = await tree.records();
    tree.mv('d', 'elsewhere');
    tree.mv('f', 'd');
    const made = await tree.commit(paths('f'));
    expect(short(made.changes)).toEqual([
      'renamed f > d',
      'renamed d/e/y > elsewhere/e/y',
      'renamed d/x > elsewhere/x',
    ]);
    expect((await tree.records()).get('elsewhere/e/y')?.id).toBe(before.get('d/e/y')!.id);
    await tree.verify();
  });

  test('a file below what was a file', async () => {
    using tree = new TestTree();
    tree.write('a', 'the file');
    await tree.commit();
    fs.unlinkSync(tree.at('a'));
    tree.write('a/x', 'below');
    const made = await tree.commit(paths('a/x'));
    expect(short(made.changes)).toEqual(['deleted a', 'added a/x']);
    await tree.verify();
  });

  test('an overwritten object is deleted with the move that overwrote it', async () => {
    using tree = new TestTree();
    tree.write('a', 'first');
    tree.write('b', 'second');
    await tree.commit();
    tree.mv('b', 'a');
    expect(short((await tree.commit(paths('b'))).changes)).toEqual(['deleted a', 'renamed b > a']);
    await tree.verify();
  });

  test.each([
    ['becomes empty', async (tree: TestTree) => void tree.mv('d/x', 'y'), ['y']],
    ['is filled', async (tree: TestTree) => tree.write('empty/x', 'new'), ['empty/x']],
    [
      'is new and not of the usual mode',
      async (tree: TestTree) => {
        tree.write('private/x', 'new');
        fs.chmodSync(tree.at('private'), 0o700);
      },
      ['private/x'],
    ],
    [
      'is gone, and the one above becomes empty',
      async (tree: TestTree) => fs.rmSync(tree.at('up/down').toString(), { recursive: true }),
      ['up/down/x'],
    ],
  ])('a folder that %s has its record right at once', async (_, change, chosen) => {
    using tree = new TestTree();
    tree.write('d/x', 'x');
    tree.write('up/down/x', 'x below');
    tree.mkdir('empty');
    await tree.commit();
    await change(tree);
    await tree.commit(paths(...chosen));
    await tree.verify();
  });
});

describe('folders and their records', () => {
  test('empty, filled, empty again: the record comes and goes, its id stays', async () => {
    using tree = new TestTree();
    tree.mkdir('d');
    await tree.commit();
    const id = (await tree.records()).get('d/.bkdir')?.id;
    expect(id).toBeDefined();
    tree.write('d/x', 'x');
    expect(short((await tree.commit()).changes)).toEqual(['added d/x']);
    expect((await tree.records()).has('d/.bkdir')).toBe(false);
    await tree.verify();
    fs.unlinkSync(tree.at('d/x'));
    expect(short((await tree.commit()).changes)).toEqual(['deleted d/x']);
    expect((await tree.records()).get('d/.bkdir')?.id).toBe(id);
    await tree.verify();
  });

  test('modes, of the root too', async () => {
    using tree = new TestTree();
    tree.write('d/x', 'x');
    await tree.commit();
    fs.chmodSync(tree.at('d'), 0o2750);
    fs.chmodSync(tree.root, 0o711);
    expect(short((await tree.commit()).changes)).toEqual(['metadata  (mode)', 'metadata d (mode)']);
    await tree.verify();
    fs.chmodSync(tree.at('d'), 0o755);
    fs.chmodSync(tree.root, 0o755);
    expect((await tree.commit()).summary.metadata).toBe(2);
    expect([...(await tree.records()).keys()]).toEqual(['d/x']);
    await tree.verify();
  });

  test('an empty folder of an odd mode is moved and keeps its id', async () => {
    using tree = new TestTree();
    tree.write('a/x', 'x');
    tree.mkdir('a/e');
    fs.chmodSync(tree.at('a/e'), 0o700);
    await tree.commit();
    const { id } = (await tree.records()).get('a/e/.bkdir')!;
    tree.mv('a', 'b');
    await tree.commit();
    expect((await tree.records()).get('b/e/.bkdir')?.id).toBe(id);
    await tree.verify();
  });

  test('only ignored files, sockets or a nested repository in it: recorded like an empty one', async () => {
    using tree = new TestTree();
    tree.write('.bkignore', '*.tmp\n/out/\n');
    tree.write('cache/a.tmp', 'x');
    tree.write('other/.bk/config.json', '{}');
    tree.write('out/x', 'x');
    tree.write('holder/nested/.bk/config.json', '{}');
    tree.write('holder/nested/file', 'theirs');
    const made = await tree.commit();
    expect(short(made.changes)).toEqual(['added .bkignore', 'added cache', 'added holder']);
    expect(made.skipped.map(({ path, reason }) => `${path}: ${reason}`)).toEqual([
      'holder/nested: another repository',
      'other: another repository',
    ]);
    await tree.verifyIndex();
    expect(await tree.changes()).toEqual([]);
  });

  test('what an older or newer bk wrote into a folder’s record is kept, though the folder needs none', async () => {
    using tree = new TestTree();
    tree.mkdir('album');
    await tree.commit();
    const { amend } = await import('./amend.fixture.ts');
    amend(tree, 'album/.bkdir', (rec) => ({ ...rec, entity: 'album', attrs: { title: 'Summer' } }));
    tree.write('album/track', 'la la');
    expect(short((await tree.commit()).changes)).toEqual(['added album/track']);
    expect((await tree.records()).get('album/.bkdir')).toMatchObject({
      entity: 'album',
      attrs: { title: 'Summer' },
    });
    await tree.verifyIndex();
  });
});

describe('objects', () => {
  test('a returned file has its id again, and what the person gave it', async () => {
    using tree = new TestTree();
    tree.write('a', 'content');
    tree.write('b', 'other');
    await tree.commit();
    const { amend } = await import('./amend.fixture.ts');
    amend(tree, 'a', (rec) => ({ ...rec, attrs: { tags: ['x'] } }));
    const { id } = (await tree.records()).get('a')!;
    fs.unlinkSync(tree.at('a'));
    await tree.commit();
    tree.write('elsewhere/back', 'content');
    await tree.commit();
    expect((await tree.records()).get('elsewhere/back')).toMatchObject({ id, attrs: { tags: ['x'] } });
    await tree.verifyIndex();
    tree.write('a', 'content');
    await tree.commit();
    expect((await tree.records()).get('a')?.id).not.toBe(id);
    await tree.verifyIndex();
  });

  test('names of one inode: they come together, one leaves, the last is no group', async () => {
    using tree = new TestTree();
    tree.write('a', 'shared');
    await tree.commit();
    fs.linkSync(tree.at('a'), tree.at('b'));
    await tree.status();
    await tree.commit();
    await tree.verify();
    fs.linkSync(tree.at('a'), tree.at('c'));
    await tree.commit(paths('c'));
    await tree.commit();
    await tree.verify();
    fs.unlinkSync(tree.at('a'));
    await tree.status();
    await tree.commit();
    await tree.verify();
    tree.mv('b', 'moved');
    fs.unlinkSync(tree.at('c'));
    await tree.commit();
    expect((await tree.records()).get('moved')).not.toHaveProperty('linked');
    await tree.verify();
  });

  test('a file with two names, edited in place: both are', async () => {
    using tree = new TestTree();
    tree.write('a', 'shared');
    fs.linkSync(tree.at('a'), tree.at('b'));
    await tree.commit();
    fs.writeFileSync(tree.at('a'), 'edited');
    expect(short((await tree.commit()).changes)).toEqual([
      'modified a (content mtime)',
      'modified b (content mtime)',
    ]);
    await tree.verify();
  });

  test('a second name of a moved link has its target too', async () => {
    using tree = new TestTree();
    fs.symlinkSync('some/where', tree.at('link'));
    fs.symlinkSync('else/where', tree.at('other'));
    await tree.commit();
    tree.mv('link', 'moved');
    fs.linkSync(tree.at('moved'), tree.at('twin'));
    await tree.commit();
    await tree.verify();
  });

  test('same size, mtime put back: seen by the change time, also right after the commit', async () => {
    using tree = new TestTree();
    tree.write('a', 'one');
    await tree.commit();
    for (const text of ['two', 'six', 'ten']) {
      const { mtime } = fs.statSync(tree.at('a'));
      fs.writeFileSync(tree.at('a'), text);
      fs.utimesSync(tree.at('a'), mtime, mtime);
      expect((await tree.commit()).changes).toHaveLength(1);
      await tree.verify();
    }
  });

  test('saved again and again by an editor: one object', async () => {
    using tree = new TestTree();
    tree.write('a', 'version 0');
    await tree.commit();
    const { id } = (await tree.records()).get('a')!;
    for (let n = 1; n < 8; n++) {
      tree.save('a', `version ${n}`);
      expect((await tree.commit()).summary).toMatchObject({ modified: 1, added: 0, deleted: 0 });
    }
    expect((await tree.records()).get('a')?.id).toBe(id);
    await tree.verify();
  });

  test('written, committed, moved and edited at once: one object', async () => {
    using tree = new TestTree();
    for (let n = 0; n < 5; n++) tree.write(`f${n}`, `text ${n}`);
    await tree.commit();
    const before = await tree.records();
    tree.mv('f0', 'g0');
    fs.writeFileSync(tree.at('g0'), 'another text');
    await tree.commit();
    expect((await tree.records()).get('g0')?.id).toBe(before.get('f0')!.id);
    await tree.verify();
  });
});
