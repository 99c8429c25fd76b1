import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pairNearest, sortByPath } from './nearest.ts';
import { comparePaths, nameOf, type RepoPath } from './path.ts';

const at = (paths: readonly string[]) => paths.map((path) => ({ path: path as RepoPath }));
const pairs = (lost: readonly string[], found: readonly string[]): string[] =>
  pairNearest(at(lost), at(found))
    .map(([a, b]) => `${a.path} > ${b.path}`)
    .sort();

/** The definition, word for word: of all pairs that are left the nearest, again and again. */
function byDefinition(lost: readonly string[], found: readonly string[]): string[] {
  const all = lost.flatMap((a) => found.map((b) => ({ a, b })));
  const shared = (a: string, b: string): number => {
    const x = a.split('/').slice(0, -1);
    const y = b.split('/').slice(0, -1);
    let count = 0;
    while (count < x.length && count < y.length && x[count] === y[count]) count++;
    return count;
  };
  const sameName = (a: string, b: string): number =>
    nameOf(a as RepoPath) === nameOf(b as RepoPath) ? 1 : 0;
  all.sort(
    (p, q) =>
      shared(q.a, q.b) - shared(p.a, p.b) ||
      sameName(q.a, q.b) - sameName(p.a, p.b) ||
      comparePaths(p.a, q.a) ||
      comparePaths(p.b, q.b),
  );
  const used = new Set<string>();
  const result: string[] = [];
  for (const { a, b } of all) {
    if (used.has(`<${a}`) || used.has(`>${b}`)) continue;
    used.add(`<${a}`).add(`>${b}`);
    result.push(`${a} > ${b}`);
  }
  return result.sort();
}

describe('pairNearest', () => {
  test.each([
    { lost: ['a/x'], found: ['b/y'], expected: ['a/x > b/y'] },
    { lost: ['a/x', 'b/x'], found: ['b/z'], expected: ['b/x > b/z'] },
    { lost: ['a/x', 'a/y'], found: ['b/y'], expected: ['a/y > b/y'] },
    { lost: ['a/b/x', 'a/x'], found: ['a/b/c/z', 'a/z'], expected: ['a/b/x > a/b/c/z', 'a/x > a/z'] },
    { lost: ['ab/x'], found: ['a/x', 'abc/x'], expected: ['ab/x > a/x'] },
    { lost: [], found: ['a'], expected: [] },
  ])('$lost, $found', ({ lost, found, expected }) => {
    expect(pairs(lost, found)).toEqual(expected);
  });

  test('is the greedy choice of its definition', () => {
    const path = fc.stringMatching(/^([ab-]{1,2}\/){0,3}[xy]{1,2}$/);
    const paths = fc.uniqueArray(path, { maxLength: 12 });
    fc.assert(
      fc.property(paths, paths, (lost, found) => {
        expect(pairs(lost, found)).toEqual(byDefinition(lost, found));
      }),
      { numRuns: 3000 },
    );
  });
});

test('sortByPath sorts by bytes, also beyond U+FFFF', () => {
  const sorted = sortByPath(at(['\u{1f600}', '\uff5e', 'b', 'a/b', 'a-b', 'é']), (entry) => entry.path);
  expect(sorted.map((entry) => entry.path)).toEqual(['a-b', 'a/b', 'b', 'é', '\uff5e', '\u{1f600}']);
});
