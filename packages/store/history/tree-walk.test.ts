import type { GitId, RepoPath } from '@bk/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filesArbitrary, newHistory } from './history.fixture.ts';
import { HistoryReader } from './reader.ts';
import { diffTrees, findInTree } from './tree-walk.ts';

const NONE = '0'.repeat(40);

describe('diffTrees', () => {
  test('says what git diff-tree says, in its order', () => {
    using history = newHistory();
    const edited = fc.tuple(filesArbitrary, filesArbitrary, fc.func(fc.boolean())).map(([a, b, keeps]) => {
      const left = { ...a };
      for (const file of Object.keys(left)) if (file in b && keeps(file)) left[file] = b[file]!;
      return [left, b] as const;
    });
    fc.assert(
      fc.property(edited, ([a, b]) => {
        const reader = new HistoryReader(history.dir);
        const [left, right] = [history.commit(a), history.commit(b)].map(
          (id) => reader.readCommit(id).tree,
        ) as [GitId, GitId];
        const found = [...diffTrees(reader, left, right)].map(({ path, before = NONE, after = NONE }) => [
          path,
          before,
          after,
        ]);
        const fields = history
          .git('diff-tree', '-r', '-z', '--no-renames', left, right)
          .split('\0')
          .slice(0, -1);
        const expected: string[][] = [];
        for (let i = 0; i < fields.length; i += 2) {
          const [, , before, after] = fields[i]!.split(' ');
          expected.push([fields[i + 1]!, before!, after!]);
        }
        expect(found).toEqual(expected);
        reader.close();
      }),
      { numRuns: 40 },
    );
  });

  test('equal subtrees are not read', () => {
    using history = newHistory();
    const reader = new HistoryReader(history.dir);
    const trees = [
      history.commit({ 'a/1': 'x', 'b/1': 'y' }),
      history.commit({ 'a/1': 'x', 'b/1': 'z' }),
    ].map((id) => reader.readCommit(id).tree);
    const read: GitId[] = [];
    const counting = {
      readTree: (id: GitId) => {
        read.push(id);
        return reader.readTree(id);
      },
    };
    expect([...diffTrees(counting, trees[0], trees[1])].map(({ path }) => path)).toEqual(['b/1']);
    expect(read).toHaveLength(4);
    expect([...diffTrees(counting, trees[0], trees[0])]).toEqual([]);
    expect(read).toHaveLength(4);
    expect([...diffTrees(counting, undefined, trees[0])].map(({ path }) => path)).toEqual(['a/1', 'b/1']);
    reader.close();
  });

  test('a folder that became a file', () => {
    using history = newHistory();
    const reader = new HistoryReader(history.dir);
    const trees = [history.commit({ 'a/1': 'x', 'a.b': 'y' }), history.commit({ a: 'x' })].map(
      (id) => reader.readCommit(id).tree,
    );
    const found = [...diffTrees(reader, trees[0], trees[1])];
    expect(found.map(({ path, before, after }) => [path, before !== undefined, after !== undefined])).toEqual(
      [
        ['a', false, true],
        ['a.b', true, false],
        ['a/1', true, false],
      ],
    );
    reader.close();
  });
});

describe('findInTree', () => {
  test.each([
    ['', 'tree'],
    ['a', 'tree'],
    ['a/b/c', 'blob'],
    ['a/b/c/d', undefined],
    ['a/x', undefined],
    ['a.b', 'blob'],
  ])('%j is a %s', (path, kind) => {
    using history = newHistory();
    const reader = new HistoryReader(history.dir);
    const { tree } = reader.readCommit(history.commit({ 'a/b/c': '1', 'a.b': '2' }));
    expect(findInTree(reader, tree, path as RepoPath)?.kind).toBe(kind);
    reader.close();
  });
});
