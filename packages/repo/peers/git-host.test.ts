import type { GitId } from '@bk/core';
import { expect, test } from 'vitest';
import { isHistoryOnly, sparseAncestry } from './git-host.ts';

function idOf(n: number): GitId {
  return n.toString(16).padStart(40, '0') as GitId;
}

/** One commit after the other, the first has number 1. */
function line(length: number) {
  return {
    has: (id: GitId) => Number.parseInt(id, 16) <= length,
    readCommit: (id: GitId) => {
      const n = Number.parseInt(id, 16);
      return { id, tree: id, parents: n === 1 ? [] : [idOf(n - 1)] } as never;
    },
  };
}

test('commits before the heads: all of the newest, ever fewer of the older, and an end to it', () => {
  const numbers = (length: number, ...heads: number[]) =>
    sparseAncestry(line(length), heads.map(idOf)).map((id) => Number.parseInt(id, 16));
  expect(numbers(50, 50)).toEqual(Array.from({ length: 50 }, (_, i) => 50 - i));
  const some = numbers(100_000, 100_000);
  expect(some.length).toBeLessThanOrEqual(2_000);
  expect(some.slice(0, 64)).toEqual(Array.from({ length: 64 }, (_, i) => 100_000 - i));
  // Whatever the host has last, one is named that is at most as far again behind it.
  for (const last of [99_999, 99_900, 99_000, 90_000, 50_000]) {
    const behind = 100_000 - Math.max(...some.filter((n) => n <= last));
    expect(behind).toBeLessThanOrEqual(2 * (100_000 - last) + 64);
  }
  expect(numbers(10, 11, 5)).toEqual([5, 4, 3, 2, 1]);
});

test('only a git host has no contents', () => {
  expect(isHistoryOnly('https://git.example.org/a.git')).toBe(true);
  for (const address of ['/mnt/disk', 'nas:photos', 'ssh://nas/photos'])
    expect(isHistoryOnly(address)).toBe(false);
});
