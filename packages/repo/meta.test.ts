import fs from 'node:fs';
import { parseAttributeEdit } from '@bk/core';
import { hashBytes } from '@bk/worktree';
import { expect, test } from 'vitest';
import { type MetaFile, meta } from './meta.ts';
import { at, drop } from './partial.fixture.ts';
import { tag } from './tag.ts';
import { TestTree } from './tree.fixture.ts';

function told(tree: TestTree, ...paths: string[]): Promise<readonly MetaFile[]> {
  return tree.with((repo) => meta(repo, { paths: paths.map(at) }, tree.context).files);
}

test('all that is known of a file: record, copies, versions', async () => {
  using tree = new TestTree();
  tree.write('old/a', 'a');
  await tree.commit({ message: 'first' });
  tree.mv('old/a', 'a');
  await tree.commit({ message: 'moved' });
  await tree.with((repo) =>
    tag(repo, { paths: [at('a')], edit: parseAttributeEdit({ add: ['x'] }) }, tree.context),
  );
  const [file] = await told(tree, 'a');
  const record = (await tree.records()).get('a');
  expect(file).toMatchObject({ path: 'a', id: record?.id, record, present: true });
  expect(file?.record?.attrs).toEqual({ tags: ['x'] });
  expect(file?.copies.map(({ path, verified }) => [path, verified])).toEqual([['a', null]]);
  const versions = file?.versions.map(({ message, path }) => `${message.trim()}: ${path}`);
  expect(versions).toEqual(['Tag a: a', 'moved: a', 'first: old/a']);
});

test('also of what is not here, was deleted, or is a folder', async () => {
  using tree = new TestTree();
  for (const file of ['a', 'docs/b', 'docs/c']) tree.write(file, file);
  tree.mkdir('empty');
  await tree.commit({ message: 'first' });
  await drop(tree, 'docs/b');
  fs.rmSync(tree.at('a'));
  await tree.commit({ message: 'second', deletions: 'kept' });
  const [b, a, docs, empty, root] = await told(tree, 'docs/b', 'a', 'docs', 'empty', '');
  expect([b?.present, b?.departed, b?.record?.blake3]).toEqual([
    false,
    undefined,
    hashBytes(Buffer.from('docs/b')),
  ]);
  expect([a?.present, a?.departed, a?.record?.blake3]).toEqual([false, true, hashBytes(Buffer.from('a'))]);
  expect(a?.versions.map(({ message }) => message.trim())).toEqual(['second', 'first']);
  expect([docs?.record, docs?.id, docs?.present, docs?.copies]).toEqual([null, null, true, []]);
  expect(empty?.record?.type).toBe('dir');
  expect(root?.versions).toHaveLength(2);
  await expect(told(tree, 'nothing')).rejects.toThrow(/nothing is known of nothing/);
});
