import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parentsDrawn, rowsOf } from './graph.fixture.ts';
import { childrenFirst, graph } from './graph.ts';

interface Node {
  readonly commit: string;
  readonly parents: readonly string[];
}

function drawn(commits: readonly (readonly [string, string])[]): string[] {
  return rowsOf(graph(commits.map(([commit, parents]) => ({ commit, parents: [...parents] })))).map((row) =>
    row.trimEnd(),
  );
}

/** Commits in an order of their own, children first; each has up to three parents among the later ones. */
const history: fc.Arbitrary<Node[]> = fc
  .array(fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 3 }), { minLength: 1, maxLength: 30 })
  .map((steps) =>
    steps.map((parents, i) => ({
      commit: `c${i}`,
      parents: parents
        .map((step) => i + step)
        .filter((to) => to < steps.length)
        .map((to) => `c${to}`),
    })),
  );

describe('the graph', () => {
  test('a line of commits is a line', () => {
    expect(drawn([['c', 'b'], ['b', 'a'], ['a', '']])).toEqual(['*', '|', '*', '|', '*', '']); // biome-ignore format: short
  });

  test('a merge opens a lane, its fork closes it', () => {
    const rows = drawn([['m', 'bc'], ['b', 'a'], ['c', 'a'], ['a', '']]); // biome-ignore format: short
    expect(rows).toEqual(['*', '|\\', '| |', '* |', '| |', '| *', '|/', '|', '*', '']);
  });

  test('a line that passes another goes on at its other side', () => {
    const rows = drawn([['m', 'ab'], ['a', 'xy'], ['y', 'q'], ['b', 'x'], ['x', 'q'], ['q', '']]); // biome-ignore format: short
    expect(rows.slice(3)).toEqual([
      '* |',
      '|\\ \\',
      '| | |',
      '| * |',
      '| | |',
      '| | *',
      '| |/',
      '|/|',
      '| |',
      '* |',
      '|/',
      '|',
      '*',
      '',
    ]);
  });

  test('to a parent that is not there no line leads, and none stays open', () => {
    expect(drawn([['c', 'x'], ['b', 'y'], ['a', 'z']])).toEqual(['*', '', '*', '', '*', '']); // biome-ignore format: short
  });

  test('its lines lead from each commit to its parents, in their order', () => {
    fc.assert(
      fc.property(history, (commits) => {
        const names = commits.map(({ commit }) => commit);
        expect(parentsDrawn(rowsOf(graph(commits)), names)).toEqual(commits.map(({ parents }) => parents));
      }),
      { numRuns: 500 },
    );
  });
});

describe('children first', () => {
  test('leaves alone what is in order, and otherwise moves only parents down', () => {
    fc.assert(
      fc.property(history, fc.array(fc.nat(), { minLength: 30, maxLength: 30 }), (commits, keys) => {
        expect(childrenFirst(commits)).toEqual(commits);
        const mixed = commits.map((node, i) => ({ node, key: keys[i] ?? 0 })).sort((a, b) => a.key - b.key);
        const nodes = mixed.map(({ node }) => node);
        const ordered = childrenFirst(nodes);
        const place = new Map(ordered.map(({ commit }, i) => [commit, i]));
        expect(ordered).toHaveLength(nodes.length);
        for (const { commit, parents } of ordered)
          for (const parent of parents) expect(place.get(parent)).toBeGreaterThan(place.get(commit) ?? 0);
      }),
    );
  });

  test('of a chain whose clock ran backwards too', () => {
    const chain = Array.from({ length: 20_000 }, (_, i) => ({ commit: `c${i}`, parents: [`c${i + 1}`] }));
    expect(childrenFirst([...chain].reverse())).toEqual(chain);
  });
});
