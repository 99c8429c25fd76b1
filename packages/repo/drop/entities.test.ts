import fs from 'node:fs';
import type { RepoPath } from '@bk/core';
import { expect, test } from 'vitest';
import { drop } from '../drop.ts';
import { entity } from '../entity.ts';
import { memoryRemote } from '../get.fixture.ts';
import { get } from '../get.ts';
import { TestTree } from '../tree.fixture.ts';

const FILES = ['album/1', 'album/2', 'album/in/3', 'code/.git/HEAD', 'code/main.c', 'other'];
const paths = (...list: string[]) => list as RepoPath[];

async function grown(): Promise<TestTree> {
  const tree = new TestTree();
  for (const file of FILES) tree.write(file, `content of ${file}`);
  await tree.commit();
  await tree.with((repo) =>
    entity(repo, { do: 'init', path: 'album' as RepoPath, kind: 'album' }, tree.context),
  );
  return tree;
}

/** Two volumes that hold these files. */
const holding = (...files: string[]) =>
  ['one', 'two'].map((name) => memoryRemote(name, files.map((file) => `content of ${file}`))); // biome-ignore format: short

function dropped(tree: TestTree, open: ReturnType<typeof holding>, ...list: string[]) {
  const ports = { reached: { open, unreachable: [] }, deviceOf: () => undefined };
  return tree.with((repo) => drop(repo, { paths: paths(...list) }, tree.context, ports));
}

const here = (tree: TestTree) => FILES.filter((file) => fs.existsSync(tree.at(file)));

test('what is dropped or brought of an entity is all of it', async () => {
  using tree = await grown();
  const remotes = holding(...FILES);
  const gone = await dropped(tree, remotes, 'album/in/3', 'code/main.c', 'other');
  expect([gone.refused, gone.whole]).toEqual([[], [{ path: 'album' }, { path: 'code' }]]);
  expect(here(tree)).toEqual([]);
  expect(await tree.changes()).toEqual([]);
  const back = await tree.with((repo) =>
    get(repo, { paths: paths('album/1', 'other') }, tree.context, { remotes }),
  );
  expect(back.whole).toEqual([{ path: 'album' }]);
  expect(here(tree)).toEqual(['album/1', 'album/2', 'album/in/3', 'other']);
  await tree.verifyIndex();
});

test('an entity stays as a whole if anything of it has to stay', async () => {
  using tree = await grown();
  const remotes = holding('album/1', 'album/2', 'code/.git/HEAD', 'code/main.c', 'other');
  fs.appendFileSync(tree.at('code/main.c'), ', edited');
  const { done, refused } = await dropped(tree, remotes, 'album/1', 'code', 'other');
  expect(done.map(({ path }) => path)).toEqual(['other']);
  expect(refused.map(({ path }) => path)).toEqual([
    ...['album/1', 'album/2', 'album/in/3', 'code/%2Egit/HEAD', 'code/main.c'],
  ]);
  expect(refused.filter(({ reason }) => /is one thing/.test(reason)).map(({ path }) => path)).toEqual([
    ...['album/1', 'album/2', 'code/%2Egit/HEAD'],
  ]);
  expect(here(tree)).toEqual(FILES.filter((file) => file !== 'other'));
  await tree.verifyIndex();
});

test('a name that is mistyped means nothing', async () => {
  using tree = await grown();
  const { done, refused, whole } = await dropped(tree, holding(...FILES), 'album/no such');
  expect([done, refused.map(({ path }) => path), whole]).toEqual([[], ['album/no such'], undefined]);
  const got = await tree.with((repo) => get(repo, { paths: paths('album/none') }, tree.context));
  expect(got.refused).toHaveLength(1);
});
