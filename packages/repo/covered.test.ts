import fs from 'node:fs';
import type { ContentHash, RepoPath } from '@bk/core';
import { readConfig, writeConfig } from '@bk/store';
import { hashBytes } from '@bk/worktree';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { covered } from './covered.ts';
import { lookAhead } from './holdings/ahead.ts';
import { tell } from './holdings/holdings.fixture.ts';
import { placesOf } from './holdings/holdings.ts';
import { Pool } from './observe/pool.ts';
import { TestTree } from './tree.fixture.ts';

let tree: TestTree;
/** On the same device as the tree. */
let card: string;
beforeEach(async () => {
  tree = new TestTree();
  card = `${tree.base}/card`;
  fs.mkdirSync(card);
  for (const n of [1, 2, 3, 4, 5, 6]) tree.write(`f${n % 3}/sub/${n}`, `file ${n}`);
  await tree.commit();
});
afterEach(() => tree[Symbol.dispose]());

const hash = (text: string): ContentHash => hashBytes(Buffer.from(text));

test('a local repository on the device of the folder is not elsewhere, whatever volume it says', async () => {
  fs.writeFileSync(`${card}/x`, 'file 1');
  const other = new TestTree();
  await tree.with((repo) => tell(repo, { digit: 'd', name: 'other', volume: 'elsewhere' }));
  const ask = () => tree.with((repo) => covered(repo, { dir: card }, tree.context));
  expect((await ask()).wipeable).toBe(true);
  const set = (root: string, change: object) => {
    const file = `${root}/.bk/config.json`;
    writeConfig(file, { ...readConfig(file)!, ...change });
  };
  set(tree.root, { remotes: { other: { address: other.root } } });
  expect((await ask()).wipeable).toBe(true); // another repository is there than the one that is known
  set(other.root, { id: 'dddddddd-dddd-dddd-dddd-dddddddddddd' });
  expect(await ask()).toMatchObject({ wipeable: false, unique: [{ path: 'x' }] });
  other[Symbol.dispose]();
});

test('looked at in threads or one by one: the same files count', async () => {
  fs.rmSync(tree.at('f0/sub/3'));
  fs.writeFileSync(tree.at('f1/sub/1'), 'edited');
  fs.utimesSync(tree.at('f1/sub/4'), 5, 5);
  fs.renameSync(tree.at('f2'), `${tree.base}/moved`);
  fs.symlinkSync(`${tree.base}/moved`, tree.at('f2'));
  await tree.with(async (repo) => {
    const sought = new Set([1, 2, 3, 4, 5, 6].map((n) => hash(`file ${n}`)));
    const ahead = await lookAhead(repo, sought, new Pool());
    expect(ahead.size).toBe(3);
    const found = [placesOf(repo, sought), placesOf(repo, sought, tree.context, ahead)].map((places) =>
      [1, 2, 3, 4, 5, 6].filter((n) => places(hash(`file ${n}`)).length > 0),
    );
    expect(found).toEqual([
      [4, 6],
      [4, 6],
    ]);
  });
});

test('what .bkignore excludes is not imported', async () => {
  tree.write('.bkignore', '*.tmp\n');
  fs.writeFileSync(`${card}/a.tmp`, 'tmp');
  fs.writeFileSync(`${card}/b`, 'b');
  const { imported } = await tree.with((repo) =>
    covered(repo, { dir: card, importTo: 'in' as RepoPath }, tree.context),
  );
  expect(imported?.done.map(({ path }) => path)).toEqual(['in/b']);
  expect(imported?.failed).toMatchObject([{ path: 'a.tmp' }]);
});

test('a file that changes between looking and importing is not imported', async () => {
  fs.writeFileSync(`${card}/b`, 'before');
  const report = ({ phase }: { phase: string }) => {
    if (phase === 'copy') fs.writeFileSync(`${card}/b`, 'behind');
  };
  const { imported } = await tree.with((repo) =>
    covered(repo, { dir: card, importTo: 'in' as RepoPath }, { ...tree.context, report }),
  );
  expect(imported).toEqual({
    done: [],
    failed: [{ path: 'b', reason: 'changed since it was looked at' }],
    bytes: 0,
  });
  expect(fs.existsSync(tree.at('in'))).toBe(false);
  expect(fs.readdirSync(`${tree.root}/.bk/staging`)).toEqual([]);
});

test('a repository whose safety net or history has what nobody else has cannot be wiped', async () => {
  using old = new TestTree();
  for (const text of ['file 1', 'only there']) old.write(text, text);
  await old.commit();
  fs.rmSync(old.at('only there'));
  await old.commit({ deletions: 'kept' });
  await tree.with((repo) => tell(repo, { digit: 'd', name: 'other', volume: 'elsewhere' }));
  const ask = () => tree.with((repo) => covered(repo, { dir: old.root }, tree.context));
  const [mine, theirs] = [tree.root, old.root].map((root) => `${root}/.bk/config.json`) as [string, string];
  const id = 'eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee';
  writeConfig(theirs, { ...readConfig(theirs)!, id });
  expect((await ask()).kept.length).toBe(1); // the history of a stranger is none of ours
  writeConfig(mine, { ...readConfig(mine)!, remotes: { old: { address: '/unplugged', id } } });
  const before = await ask();
  expect(before.unique).toEqual([]);
  expect(before.kept.map(({ path, reason }) => [path, reason.split(':')[0]])).toEqual([
    ['.bk', 'it has commits that are not known here'],
    ['.bk', 'its safety net alone keeps 1 content that was deleted or replaced there'],
  ]);
  expect(before.wipeable).toBe(false);

  tree.git('fetch', '-q', `${old.root}/.bk/history`, '+refs/heads/main:refs/remotes/old/main');
  fs.rmSync(`${old.root}/.bk/safety`, { recursive: true });
  expect(await ask()).toMatchObject({ kept: [], wipeable: true });
});
