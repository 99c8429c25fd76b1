import type { GitId } from '@bk/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type History, newHistory } from './history.fixture.ts';
import { movedFolders, recordsOfOne } from './moved-trees.ts';
import { HistoryReader } from './reader.ts';
import { diffTrees } from './tree-walk.ts';

type Files = Readonly<Record<string, string>>;

function treeOf(history: History, reader: HistoryReader, files: Files): GitId {
  return reader.readCommit(history.commit(files)).tree;
}

/** By the definition: what differs at its path, without what the other side has somewhere among what differs. */
function byForce(reader: HistoryReader, a: GitId | undefined, b: GitId | undefined): [string[], string[]] {
  const changes = [...diffTrees(reader, a, b)];
  const left = new Set(changes.map(({ before }) => before));
  const right = new Set(changes.map(({ after }) => after));
  const gone = changes.filter(({ before }) => before !== undefined && !right.has(before));
  const came = changes.filter(({ after }) => after !== undefined && !left.has(after));
  return [gone.map(({ path }) => path).sort(), came.map(({ path }) => path).sort()];
}

const folders = fc.constantFrom('', 'a/', 'a/b/', 'a/b/c/', 'd/', 'd/e/', 'f/');

/** A tree of files that are all different, and what somebody did to it. */
const edited = fc
  .tuple(
    fc.array(folders, { minLength: 1, maxLength: 12 }),
    fc.array(fc.tuple(fc.nat(3), folders, folders, fc.nat()), { maxLength: 5 }),
  )
  .map(([places, steps]): readonly [Files, Files] => {
    const before: Record<string, string> = {};
    places.forEach((folder, n) => {
      before[`${folder}x${n}`] = `content ${n}`;
    });
    let now = { ...before };
    for (const [how, from, to, n] of steps) {
      const names = Object.keys(now);
      const name = names[n % Math.max(1, names.length)];
      if (how === 0 && name !== undefined) delete now[name];
      else if (how === 1 && name !== undefined) now[name] = `edited ${n} ${name}`;
      else if (how === 2 && from !== '' && !to.startsWith(from)) {
        const moved = names.map((old) => [old.startsWith(from) ? `${to}m${n}/${old.slice(from.length)}` : old, now[old]!]); // biome-ignore format: long
        now = Object.fromEntries(moved) as Record<string, string>;
      } else now[`${to}new${n}`] = `new ${n} ${to}`;
    }
    return [before, now];
  });

describe('records that only one of two trees has', () => {
  test('are those that differ, without what only moved', () => {
    using history = newHistory();
    fc.assert(
      fc.property(edited, ([a, b]) => {
        const reader = new HistoryReader(history.dir);
        const [left, right] = [treeOf(history, reader, a), treeOf(history, reader, b)];
        for (const [x, y] of [
          [left, right],
          [right, left],
          [undefined, right],
          [left, undefined],
        ]) {
          const { gone, came } = recordsOfOne(reader, x, y);
          const told = [gone, came].map(({ records }) => records.map(({ path }) => path).sort());
          expect(told).toEqual(byForce(reader, x, y));
        }
        reader.close();
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ['up', 'old/deep', 'deep', { from: 'old/deep', to: 'deep' }],
    ['down', 'deep', 'new/folder/deep', { from: 'deep', to: 'new/folder/deep' }],
    ['over', 'one/deep', 'two/deep', { from: 'one', to: 'two' }],
  ])('a folder that moved %s is not gone through', (_, from, to, outermost) => {
    using history = newHistory();
    const many = (folder: string): Files => Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`${folder}/${n % 20}/${n}`, `text ${n}`])); // biome-ignore format: long
    const reader = new HistoryReader(history.dir);
    const before = treeOf(history, reader, { ...many(from), x: 'x' });
    const after = treeOf(history, reader, { ...many(to), x: 'y' });
    let read = 0;
    const counting = {
      readTree: (id: GitId) => {
        read++;
        return reader.readTree(id);
      },
    };
    const { gone, came } = recordsOfOne(counting, before, after);
    expect([gone.records, came.records].map((list) => list.map(({ path }) => path))).toEqual([['x'], ['x']]);
    expect(read).toBeLessThan(9);
    expect(movedFolders(reader, before, after)).toMatchObject([outermost]);
    reader.close();
  });
});
