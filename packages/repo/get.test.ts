import fs from 'node:fs';
import path from 'node:path';
import type { RepoPath } from '@bk/core';
import { Incoming, layoutOf } from '@bk/store';
import { expect, test } from 'vitest';
import { folderRemote, hashOf, makeAbsent, memoryRemote } from './get.fixture.ts';
import { type GetOptions, type GetPorts, get } from './get.ts';
import { absentBelow } from './presence/absence.ts';
import { TestTree } from './tree.fixture.ts';

const paths = (...list: string[]) => list as RepoPath[];

async function got(tree: TestTree, options: GetOptions, ports: GetPorts) {
  return tree.with((repo) => get(repo, options, tree.context, ports));
}

const absent = (tree: TestTree) => tree.with((repo) => [...absentBelow(repo, '' as RepoPath)]);
const incoming = (tree: TestTree) => fs.existsSync(path.join(layoutOf(tree.root).staging, 'incoming'));

/** a, d/b, d/e/c, d/same (as a), an empty file and a link; the net forgets them with the files. */
async function partial(): Promise<TestTree> {
  const tree = new TestTree();
  tree.write('a', 'content a');
  tree.write('d/b', 'content b');
  tree.write('d/e/c', 'content c');
  tree.write('d/same', 'content a');
  tree.write('d/empty', '');
  tree.write('stays', 'here');
  fs.symlinkSync('nowhere', tree.at('d/link'));
  fs.chmodSync(tree.at('d/e'), 0o700);
  fs.chmodSync(tree.at('d/b'), 0o640);
  fs.utimesSync(tree.at('d/b'), 1_000_000, 1_000_000.5);
  await tree.commit();
  await makeAbsent(tree, ['a', 'd/b', 'd/e/c', 'd/same', 'd/empty', 'd/link']);
  fs.rmdirSync(tree.at('d/e'));
  fs.rmdirSync(tree.at('d'));
  fs.rmSync(layoutOf(tree.root).safety, { recursive: true });
  return tree;
}

test('absent files come from a remote, as recorded; status then has nothing to read', async () => {
  using tree = await partial();
  expect(await tree.changes()).toEqual([]);
  const remote = memoryRemote('disk', ['content a', 'content b', 'content c']);
  const result = await got(tree, { paths: paths('') }, { remotes: [remote] });
  expect(result.refused).toEqual([]);
  expect(result.done).toEqual([
    { path: 'a', size: 9, from: 'disk' },
    { path: 'd/b', size: 9, from: 'disk' },
    { path: 'd/e/c', size: 9, from: 'disk' },
    { path: 'd/empty', size: 0 },
    { path: 'd/link', size: 7 },
    { path: 'd/same', size: 9, from: 'disk' },
  ]);
  expect(result.bytes).toBe(43);
  await tree.verifyDisk();
  expect(fs.statSync(tree.at('a')).ino).not.toBe(fs.statSync(tree.at('d/same')).ino);
  expect(fs.statSync(tree.at('d/b')).mode & 0o7777).toBe(0o640);
  expect(fs.statSync(tree.at('d/e')).mode & 0o7777).toBe(0o700);
  expect(await absent(tree)).toEqual([]);
  expect(incoming(tree)).toBe(false);
  expect(fs.readdirSync(layoutOf(tree.root).staging)).toEqual([]);
  await tree.verifyIndex();
  // A read would change the access time of none of them, so: bytes that differ under an unchanged stat are not seen.
  expect(await tree.changes()).toEqual([]);
  expect((await tree.commit()).commit).toBeNull();
  expect(await got(tree, { paths: paths('') }, { remotes: [] })).toEqual({ done: [], refused: [], bytes: 0 });
});

test('one file, a folder, what is nowhere', async () => {
  using tree = await partial();
  const remote = memoryRemote('disk', ['content b']);
  const whereabouts = () => () => 'known to be on blue';
  const result = await got(
    tree,
    { paths: paths('d', 'nothing/here', 'stays') },
    { remotes: [remote], whereabouts },
  );
  expect(result.done.map((one) => one.path)).toEqual(['d/b', 'd/empty', 'd/link']);
  expect(result.refused).toEqual([
    { path: 'd/e/c', reason: 'disk: it does not have it; known to be on blue' },
    { path: 'd/same', reason: 'disk: it does not have it; known to be on blue' },
    { path: 'nothing/here', reason: 'the last commit has no such file or folder' },
  ]);
  expect(await absent(tree)).toEqual(['a', 'd/same', 'd/e/c']);
  expect(await tree.changes()).toEqual([]);
  expect(incoming(tree)).toBe(false);
});

test('nothing is overwritten, and what is here all the same is left alone', async () => {
  using tree = await partial();
  tree.write('a', 'my own a');
  tree.write('d/b', 'content b');
  tree.mkdir('d/e/c');
  const remote = memoryRemote('disk', ['content a', 'content b', 'content c']);
  const result = await got(tree, { paths: paths('') }, { remotes: [remote] });
  expect(result.refused).toEqual([
    { path: 'a', reason: 'something else is in its place' },
    { path: 'd/e/c', reason: 'something else is in its place' },
  ]);
  expect(result.done.map((one) => one.path)).toEqual(['d/empty', 'd/link', 'd/same']);
  expect(fs.readFileSync(tree.at('a'), 'utf8')).toBe('my own a');
});

test('contents that are here under another name or in the net are not fetched; each asked only for what is missing', async () => {
  using tree = new TestTree();
  tree.write('a', 'content a');
  tree.write('copy', 'content a');
  tree.write('b', 'content b');
  tree.write('c', 'content c');
  tree.write('d', 'content d');
  await tree.commit();
  await makeAbsent(tree, ['a', 'b', 'c', 'd']);
  for (const text of ['content a', 'content c', 'content d']) {
    const hash = hashOf(text);
    fs.rmSync(path.join(layoutOf(tree.root).safety, hash.slice(0, 2)), { recursive: true });
  }
  const first = memoryRemote('first', ['content c']);
  const second = memoryRemote('second', ['content c', 'content d']);
  const asked: string[] = [];
  const spy = second.peer.readContents.bind(second.peer);
  second.peer.readContents = (wanted) => {
    asked.push(...wanted.map(({ blake3 }) => blake3));
    return spy(wanted);
  };
  const result = await got(tree, { paths: paths('a', 'b', 'c', 'd') }, { remotes: [first, second] });
  expect(result.done.map((one) => [one.path, one.from])).toEqual([
    ['a', 'folder'],
    ['b', 'safety'],
    ['c', 'first'],
    ['d', 'second'],
  ]);
  expect(asked).toEqual([hashOf('content d')]);
  await tree.verifyDisk();
});

test('a remote whose files went bad is passed over, a real one is read through its folder', async () => {
  using tree = await partial();
  using other = new TestTree();
  other.write('x/one', 'content a');
  other.write('x/two', 'content a');
  other.write('y', 'content b');
  other.write('z', 'content c');
  await other.commit();
  fs.writeFileSync(other.at('x/one'), 'CONTENT A');
  fs.writeFileSync(other.at('y'), 'CONTENT B');
  const folder = folderRemote('folder', other);
  const spoilt = memoryRemote('spoilt', []);
  spoilt.host.files.set(hashOf('content c'), Buffer.from('CONTENT C'));
  const result = await got(tree, { paths: paths('') }, { remotes: [spoilt, folder] });
  folder.close();
  expect(result.refused).toEqual([
    { path: 'd/b', reason: 'spoilt: it does not have it; folder: its file is not that content any more' },
  ]);
  expect(result.done.map((one) => one.path)).toEqual(['a', 'd/e/c', 'd/empty', 'd/link', 'd/same']);
});

test('a dry run touches nothing', async () => {
  using tree = await partial();
  const result = await got(tree, { paths: paths('d'), dryRun: true }, { remotes: [] });
  expect(result.done.map((one) => one.path)).toEqual(['d/b', 'd/e/c', 'd/empty', 'd/link', 'd/same']);
  expect(fs.existsSync(tree.at('d'))).toBe(false);
});

test('T01, T02: what was cut off goes on where it was, and only if the beginning is the same', async () => {
  using tree = new TestTree();
  const text = 'x'.repeat(3 << 20).concat('end');
  tree.write('big', text);
  await tree.commit();
  await makeAbsent(tree, ['big']);
  fs.rmSync(layoutOf(tree.root).safety, { recursive: true });
  const remote = memoryRemote('disk', [text]);
  const offsets: number[] = [];
  let stopAfter = 1;
  const spy = remote.peer.readContents.bind(remote.peer);
  remote.peer.readContents = async function* (wanted) {
    for await (const sent of spy(wanted)) {
      if ('missing' in sent) throw new Error('it has it');
      offsets.push(sent.offset);
      const chunks = async function* () {
        for await (const chunk of sent.chunks) {
          if (stopAfter-- === 0) return;
          yield chunk;
        }
      };
      yield { ...sent, chunks: chunks() };
    }
  };
  const wanted = { paths: paths('big') };
  const broken = await got(tree, wanted, { remotes: [remote] });
  expect(broken.refused[0]?.reason).toContain('it ended after 1048576 of');
  const part = path.join(layoutOf(tree.root).staging, 'incoming', `${hashOf(text)}.part`);
  expect(fs.statSync(part).size).toBe(1 << 20);
  stopAfter = -1;
  expect((await got(tree, wanted, { remotes: [remote] })).done).toEqual([
    { path: 'big', size: text.length, from: 'disk' },
  ]);
  expect(offsets).toEqual([0, 1 << 20]);
  expect(incoming(tree)).toBe(false);
  await tree.verifyDisk();
});

test('what was placed is let go of in staging also after a kill', async () => {
  using tree = await partial();
  const layout = layoutOf(tree.root);
  const store = new Incoming(layout);
  const content = { blake3: hashOf('content a'), size: 9 };
  const file = store.open(content.blake3, 9);
  file.append(Buffer.from('content a'));
  file.finish();
  file.close(false);
  store.settle();
  fs.linkSync(store.fileOf(content.blake3)!, tree.at('a'));
  await tree.status();
  expect(fs.existsSync(store.folder)).toBe(false);
  expect(fs.readFileSync(tree.at('a'), 'utf8')).toBe('content a');
});
