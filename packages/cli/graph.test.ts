import { expect, test } from 'vitest';
import { graph } from './graph.ts';

const lines = (commits: readonly (readonly [string, string])[]) =>
  graph(commits.map(([commit, parents]) => ({ commit, parents: [...parents] }))).map(({ own }) =>
    own.trimEnd(),
  );

test('a line of commits is a line', () => {
  expect(lines([['c', 'b'], ['b', 'a'], ['a', '']])).toEqual(['*', '*', '*']); // biome-ignore format: short
});

test('a merge opens a lane, its fork closes it', () => {
  const drawn = lines([['m', 'bc'], ['b', 'a'], ['c', 'a'], ['a', '']]); // biome-ignore format: short
  expect(drawn).toEqual(['*', '* |', '| *', '*']);
});
