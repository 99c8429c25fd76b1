import fs from 'node:fs';
import path from 'node:path';
import type { RepoPath } from '@bk/core';
import { layoutOf, withRemote } from '@bk/store';
import { expect, test } from 'vitest';
import { clone, cloneSourceOf } from './clone.ts';
import { commit } from './commit.ts';
import { hashOf, makeAbsent } from './get.fixture.ts';
import { get } from './get.ts';
import { idOf, tell } from './holdings/holdings.fixture.ts';
import { listRecoverable, type RecoverOptions, recover } from './recover.ts';
import { openRepository } from './repository.ts';
import { type RestoreOptions, restore } from './restore.ts';
import { TestTree } from './tree.fixture.ts';

const paths = (...list: string[]) => list as RepoPath[];
const recovered = (tree: TestTree, options: RecoverOptions) =>
  tree.with((repo) => recover(repo, options, tree.context));
const restored = (tree: TestTree, options: RestoreOptions) =>
  tree.with((repo) => restore(repo, options, tree.context));
const listed = (tree: TestTree, options: RecoverOptions = {}) =>
  tree.with((repo) => listRecoverable(repo, options, tree.context));
const read = (tree: TestTree, file: string) => fs.readFileSync(tree.at(file), 'utf8');
const confirm = (tree: TestTree) => tree.commit({ deletions: 'confirmed', allowMassDelete: true });
const disk2 = (tree: TestTree) => path.join(tree.base, 'disk2');
const unplug = (tree: TestTree) => fs.renameSync(disk2(tree), `${disk2(tree)}-away`);
/** Nothing is kept for later. */
const settled = (tree: TestTree) => expect(fs.readdirSync(layoutOf(tree.root).staging)).toEqual([]);

/** a, d/b, d/e/same (as d/b), a link and an empty file; all of it on disk2 too. */
async function cloned(): Promise<TestTree> {
  const tree = new TestTree();
  tree.write('a', 'content a');
  tree.write('d/b', 'content b');
  tree.write('d/e/same', 'content b');
  tree.write('d/empty', '');
  tree.write('stays', 'stays');
  fs.symlinkSync('nowhere', tree.at('d/link'));
  fs.chmodSync(tree.at('d/b'), 0o640);
  fs.chmodSync(tree.at('d/e'), 0o700);
  fs.utimesSync(tree.at('d/b'), 1_000_000, 1_000_000.5);
  await tree.commit();
  await tree.with(async (repo) => {
    const from = await cloneSourceOf(repo, tree.context);
    await clone(disk2(tree), { from, name: 'disk2' }, tree.context);
  });
  return tree;
}

/** The net lets go what is confirmed. */
async function lose(tree: TestTree, ...files: string[]): Promise<void> {
  for (const file of files) fs.rmSync(tree.at(file), { recursive: true });
  await confirm(tree);
}

test('what the net let go comes from a remote, as it was, with its ids', async () => {
  using tree = await cloned();
  const before = await tree.records();
  await lose(tree, 'a', 'd');
  const list = await listed(tree);
  expect(list.recoverable.map((one) => [one.path, one.from, one.confirmed])).toEqual([
    ['a', 'disk2', true],
    ['d/b', 'disk2', true],
    ['d/e', 'history', true],
    ['d/e/same', 'disk2', true],
    ['d/empty', 'history', true],
    ['d/link', 'history', true],
  ]);
  expect(list.unreachable).toEqual([]);
  const dry = await recovered(tree, { all: true, dryRun: true });
  expect(fs.existsSync(tree.at('a'))).toBe(false);
  const result = await recovered(tree, { all: true });
  expect(result).toEqual(dry);
  expect(result.failed).toEqual([]);
  expect(result.recovered.filter((one) => one.from === 'disk2').map((one) => one.path)).toEqual([
    'a',
    'd/b',
    'd/e/same',
  ]);
  settled(tree);
  expect(fs.lstatSync(tree.at('d/b')).ino).not.toBe(fs.lstatSync(tree.at('d/e/same')).ino);
  await tree.commit();
  await tree.verifyDisk();
  expect(await tree.records()).toEqual(before);
  expect(await recovered(tree, { all: true })).toEqual({ recovered: [], failed: [] });
});

test('net first, then the folder, then elsewhere', async () => {
  using tree = await cloned();
  tree.write('kept', 'content b');
  await tree.commit();
  await lose(tree, 'a', 'd/b', 'd/e/same');
  fs.rmSync(tree.at('stays'));
  fs.rmSync(layoutOf(tree.root).safety, { recursive: true });
  const { recovered: back } = await recovered(tree, { all: true });
  expect(back.filter((one) => one.from !== 'history').map((one) => [one.path, one.from])).toEqual([
    ['a', 'disk2'],
    ['d/b', 'folder'],
    ['d/e/same', 'folder'],
    ['stays', 'disk2'],
  ]);
});

test('a disk that is not plugged in is named, as is one that is no remote', async () => {
  using tree = await cloned();
  await tree.with((repo) =>
    tell(repo, { digit: '3', name: 'drawer', volume: 'v3', holds: (at) => at === 'd/b' }),
  );
  await lose(tree, 'a', 'd/b', 'd/e/same');
  unplug(tree);
  const list = await listed(tree);
  expect(list.recoverable).toEqual([]);
  expect(list.unreachable.map(({ path: at, where }) => [at, where])).toEqual([
    ['a', ['disk2']],
    ['d/b', ['disk2', 'drawer']],
    ['d/e/same', ['disk2', 'drawer']],
  ]);
  for (const dryRun of [true, false]) {
    const { failed } = await recovered(tree, { paths: paths('a', 'd/b'), dryRun });
    expect(failed).toEqual([
      { path: 'a', reason: 'it is on disk2, which cannot be reached now', where: ['disk2'] },
      {
        path: 'd/b',
        reason:
          'it is on disk2, which cannot be reached now; it is on drawer, which is no remote of this repository',
        where: ['disk2', 'drawer'],
      },
    ]);
  }
  expect(fs.existsSync(tree.at('a'))).toBe(false);
  fs.renameSync(`${disk2(tree)}-away`, disk2(tree));
  expect((await recovered(tree, { paths: paths('a') })).recovered).toEqual([{ path: 'a', from: 'disk2' }]);
  expect(idOf('3')).toMatch(/^3/);
});

test('what nobody is known to hold is asked for all the same', async () => {
  using tree = await cloned();
  tree.write('new', 'only told later');
  await tree.commit();
  fs.writeFileSync(path.join(disk2(tree), 'made there'), 'only told later');
  const there = openRepository(disk2(tree));
  await commit(there, { message: 'there' }, tree.context);
  there.close();
  await lose(tree, 'new');
  expect((await listed(tree)).recoverable).toEqual([]);
  expect((await recovered(tree, { paths: paths('new') })).recovered).toEqual([
    { path: 'new', from: 'disk2' },
  ]);
  expect(read(tree, 'new')).toBe('only told later');
});

test('spoilt in the net or in the other folder: the next one is taken, or it is said', async () => {
  using tree = await cloned();
  fs.rmSync(tree.at('a'));
  const { safety } = layoutOf(tree.root);
  for (const name of fs.readdirSync(safety, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(safety, name);
    const stat = fs.lstatSync(file);
    if (!stat.isFile() || fs.readFileSync(file, 'utf8') !== 'content a') continue;
    fs.writeFileSync(file, 'CONTENT A');
    fs.utimesSync(file, stat.atime, stat.mtime);
  }
  await lose(tree, 'd/b', 'd/e/same');
  for (const file of ['d/b', 'd/e/same']) fs.writeFileSync(path.join(disk2(tree), file), 'CONTENT B');
  const result = await recovered(tree, { all: true });
  expect(result.recovered.map((one) => [one.path, one.from])).toContainEqual(['a', 'disk2']);
  expect(read(tree, 'a')).toBe('content a');
  expect(result.failed).toEqual([
    { path: 'd/b', reason: 'disk2: its file is not that content any more', where: ['disk2'] },
    { path: 'd/e/same', reason: 'disk2: its file is not that content any more', where: ['disk2'] },
  ]);
  expect(fs.existsSync(tree.at('d/b'))).toBe(false);
});

test('restore and recover --at take replaced versions from elsewhere; what is there is never written over by recover', async () => {
  using tree = await cloned();
  tree.save('a', 'newer');
  await tree.commit();
  fs.rmSync(layoutOf(tree.root).safety, { recursive: true });
  expect((await listed(tree)).recoverable.map((one) => [one.path, one.reason, one.from])).toEqual([
    ['a', 'replaced', 'disk2'],
  ]);
  const beside = await recovered(tree, { paths: paths('a'), at: 'HEAD~1' });
  expect(beside.recovered).toEqual([{ path: 'a (recovered 2026-10-01)', from: 'disk2', was: 'a' }]);
  fs.rmSync(tree.at('a (recovered 2026-10-01)'));
  const planned = await restored(tree, { paths: paths('a'), at: 'HEAD~1', dryRun: true });
  expect(read(tree, 'a')).toBe('newer');
  const put = await restored(tree, { paths: paths('a'), at: 'HEAD~1' });
  expect(put).toEqual(planned);
  expect(put.recovered).toEqual([{ path: 'a', from: 'disk2', replaced: hashOf('newer') }]);
  expect(read(tree, 'a')).toBe('content a');
  settled(tree);
  expect((await restored(tree, { paths: paths('a') })).recovered.map((one) => one.from)).toEqual(['safety']);
  unplug(tree);
  fs.rmSync(layoutOf(tree.root).safety, { recursive: true });
  expect((await restored(tree, { paths: paths('a'), at: 'HEAD~1' })).failed).toEqual([
    { path: 'a', reason: 'it is on disk2, which cannot be reached now', where: ['disk2'] },
  ]);
  expect(read(tree, 'a')).toBe('newer');
});

test('restore finds elsewhere what is spoilt here', async () => {
  using tree = await cloned();
  tree.save('stays', 'content a');
  await tree.commit();
  fs.rmSync(layoutOf(tree.root).safety, { recursive: true });
  fs.rmSync(tree.at('a'));
  const { atime, mtime } = fs.lstatSync(tree.at('stays'));
  fs.writeFileSync(tree.at('stays'), 'CONTENT A');
  fs.utimesSync(tree.at('stays'), atime, mtime);
  const result = await restored(tree, { paths: paths('a') });
  expect(result.recovered).toEqual([{ path: 'a', from: 'disk2' }]);
  expect(read(tree, 'a')).toBe('content a');
});

test('into a folder outside, as copies', async () => {
  using tree = await cloned();
  await lose(tree, 'd');
  const to = path.join(tree.base, 'rescue');
  const result = await recovered(tree, { all: true, to });
  expect(result.failed).toEqual([]);
  expect(fs.readFileSync(path.join(to, 'd/e/same'), 'utf8')).toBe('content b');
  expect(fs.existsSync(tree.at('d'))).toBe(false);
  settled(tree);
  expect(await recovered(tree, { all: true, to })).toEqual({ recovered: [], failed: [] });
});

test('absent is not deleted: never listed, never brought, and get is named', async () => {
  using tree = await cloned();
  tree.save('a', 'newer');
  await tree.commit();
  await makeAbsent(tree, ['a', 'd/b', 'd/e/same', 'd/empty', 'd/link']);
  fs.rmSync(tree.at('d'), { recursive: true });
  fs.rmSync(layoutOf(tree.root).safety, { recursive: true });
  const reason = 'it was not deleted, it is not on this disk: `bk get` brings it here';
  expect((await listed(tree)).recoverable.map((one) => [one.path, one.reason])).toEqual([['a', 'replaced']]);
  expect(await recovered(tree, { all: true })).toEqual({ recovered: [], failed: [] });
  for (const at of [undefined, 'HEAD']) {
    const options = { paths: paths('a', 'd', 'd/b'), ...(at !== undefined && { at }) };
    expect(await recovered(tree, options)).toEqual({
      recovered: [],
      failed: ['a', 'd', 'd/b'].map((one) => ({ path: one, reason })),
    });
  }
  expect(await restored(tree, { paths: paths('') })).toEqual({ recovered: [], failed: [] });
  expect(await restored(tree, { paths: paths(''), only: ['mtime', 'mode'] })).toEqual({
    recovered: [],
    failed: [],
  });
  expect(await restored(tree, { paths: paths('d/b', 'd') })).toEqual({
    recovered: [],
    failed: ['d', 'd/b'].map((one) => ({ path: one, reason })),
  });
  expect(fs.existsSync(tree.at('d'))).toBe(false);
  // An earlier state of it has its place beside the one that is not here, or at it, as with any file.
  expect((await recovered(tree, { paths: paths('a'), at: 'HEAD~1' })).recovered).toEqual([
    { path: 'a (recovered 2026-10-01)', from: 'disk2', was: 'a' },
  ]);
  expect((await restored(tree, { paths: paths('a'), at: 'HEAD~1' })).recovered).toEqual([
    { path: 'a', from: 'disk2' },
  ]);
  expect(await tree.changes()).toEqual(['modified a (content mtime)', 'added a (recovered 2026-10-01)']);
});

test('get sends to recover for what was deleted here', async () => {
  using tree = await cloned();
  fs.rmSync(tree.at('d'), { recursive: true });
  const got = (...list: string[]) => tree.with((repo) => get(repo, { paths: paths(...list) }, tree.context));
  expect((await got('d', 'd/b', 'stays')).refused).toEqual(
    ['d', 'd/b'].map((one) => ({ path: one, reason: 'it was deleted here: `bk recover` brings it back' })),
  );
});

test('nothing is looked for elsewhere while all is here', async () => {
  using tree = await cloned();
  const address = path.join(tree.base, 'is never opened');
  fs.writeFileSync(address, '');
  fs.chmodSync(address, 0);
  await tree.with((repo) => {
    repo.beginWriting();
    repo.reconfigure((config) => withRemote(config, 'other', { address }));
  });
  const seen = () => JSON.parse(fs.readFileSync(layoutOf(tree.root).config, 'utf8')).remotes.disk2.lastSeen;
  const before = seen();
  fs.rmSync(tree.at('a'));
  expect((await listed(tree)).recoverable.map((one) => one.from)).toEqual(['safety']);
  expect((await recovered(tree, { all: true })).recovered).toEqual([{ path: 'a', from: 'safety' }]);
  expect(seen()).toEqual(before);
});
