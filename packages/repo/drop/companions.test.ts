import fs from 'node:fs';
import type { RepoPath } from '@bk/core';
import { withSubset } from '@bk/store';
import { expect, test } from 'vitest';
import { drop } from '../drop.ts';
import { memoryRemote } from '../get.fixture.ts';
import { get } from '../get.ts';
import { TestTree } from '../tree.fixture.ts';

const FILES = [
  ...['2019/1.CR2', '2019/1.JPG', '2019/1.xmp', '2019/2.CR2', '2019/2.JPG', '2019/2.JPG.xmp'],
  ...['live/1.HEIC', 'live/1.MOV', '1.JPG', '2019/notes.txt', '2019/1.txt'],
];
const paths = (...list: string[]) => list as RepoPath[];
const without = (...gone: string[]) => FILES.filter((file) => !gone.includes(file));

async function grown(): Promise<TestTree> {
  const tree = new TestTree();
  for (const file of FILES) tree.write(file, `content of ${file}`);
  await tree.commit();
  return tree;
}

/** Two volumes that hold these files. */
const holding = (files: readonly string[]) =>
  ['one', 'two'].map((name) =>
    memoryRemote(
      name,
      files.map((file) => `content of ${file}`),
    ),
  );

function dropped(tree: TestTree, list: readonly string[], held: readonly string[] = FILES, dryRun = false) {
  const ports = { reached: { open: holding(held), unreachable: [] }, deviceOf: () => undefined };
  return tree.with((repo) => drop(repo, { paths: paths(...list), dryRun }, tree.context, ports));
}

const got = (tree: TestTree, list: readonly string[], held: readonly string[] = FILES) =>
  tree.with((repo) => get(repo, { paths: paths(...list) }, tree.context, { remotes: holding(held) }));

const here = (tree: TestTree) => FILES.filter((file) => fs.existsSync(tree.at(file)));

test('a file goes and comes with its companions, and it is told which', async () => {
  using tree = await grown();
  const asked = ['2019/1.JPG', 'live/1.MOV'];
  const companions = [
    { path: '2019/1.CR2', of: '2019/1.JPG' },
    { path: '2019/1.xmp', of: '2019/1.JPG' },
    { path: 'live/1.HEIC', of: 'live/1.MOV' },
  ];
  const gone = [...asked, ...companions.map(({ path }) => path)].sort();
  const planned = await dropped(tree, asked, FILES, true);
  expect([planned.done.map(({ path }) => path), here(tree)]).toEqual([gone, FILES]);
  const { done, refused, whole, ...rest } = await dropped(tree, asked);
  expect([done.map(({ path }) => path), refused, whole]).toEqual([gone, [], undefined]);
  expect(rest.companions).toEqual(companions);
  expect(here(tree)).toEqual(without(...gone));
  expect(await tree.changes()).toEqual([]);
  expect((await dropped(tree, asked)).companions).toBeUndefined();

  const back = await got(tree, ['2019/1.xmp']);
  expect(back.companions?.map(({ path }) => path)).toEqual(['2019/1.CR2', '2019/1.JPG']);
  expect(here(tree)).toEqual(without('live/1.HEIC', 'live/1.MOV'));
  expect((await got(tree, ['2019/1.xmp'])).companions).toBeUndefined();
  await tree.verifyIndex();
});

test('companions that were named, by themselves or by their folder, are not told', async () => {
  using tree = await grown();
  expect((await dropped(tree, ['2019', 'live/1.HEIC', 'live/1.MOV'])).companions).toBeUndefined();
  expect(here(tree)).toEqual(['1.JPG']);
});

test('all of them stay if one has to: changed, or nobody proves to have it', async () => {
  using tree = await grown();
  fs.appendFileSync(tree.at('2019/1.xmp'), ', edited');
  const { done, refused, companions } = await dropped(tree, ['2019'], without('2019/2.CR2'));
  expect(done.map(({ path }) => path)).toEqual(['2019/1.txt', '2019/notes.txt']);
  expect(companions).toBeUndefined();
  const reasons = refused.map(({ path, reason }) => [
    path,
    /its companion (\S+) has to stay/.exec(reason)?.[1],
  ]);
  expect(reasons).toEqual([
    ['2019/1.CR2', '2019/1.xmp'],
    ['2019/1.JPG', '2019/1.xmp'],
    ['2019/1.xmp', undefined],
    ['2019/2.CR2', undefined],
    ['2019/2.JPG', '2019/2.CR2'],
    ['2019/2.JPG.xmp', '2019/2.CR2'],
  ]);
  expect(here(tree)).toEqual(without('2019/1.txt', '2019/notes.txt'));
  await tree.verifyIndex();
});

test('what a companion lacks keeps nothing else from coming, and what was deleted is not asked for', async () => {
  using tree = await grown();
  await dropped(tree, ['2019/1.JPG', '2019/2.CR2']);
  const { done, refused } = await got(tree, ['2019/1.JPG', '2019/2.JPG'], without('2019/1.CR2'));
  expect(refused.map(({ path }) => path)).toEqual(['2019/1.CR2']);
  expect(done).toHaveLength(5);
  fs.rmSync(tree.at('live/1.MOV'));
  expect((await got(tree, ['live/1.HEIC'])).refused).toEqual([]);
});

test('what the subset excludes by name goes apart from what it leaves', async () => {
  using tree = await grown();
  await tree.with((repo) => {
    repo.beginWriting();
    repo.reconfigure((config) => withSubset(config, { include: [], exclude: ['**/*.CR2'] }));
  });
  expect((await dropped(tree, ['2019/1.CR2', '2019/2.JPG'])).companions).toEqual([
    { path: '2019/2.JPG.xmp', of: '2019/2.JPG' },
  ]);
  expect(here(tree)).toEqual(without('2019/1.CR2', '2019/2.JPG', '2019/2.JPG.xmp'));
  expect((await got(tree, ['2019/1.CR2', '2019/2.JPG'])).done).toHaveLength(3);
  expect(here(tree)).toEqual(FILES);
});
