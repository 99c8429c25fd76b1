import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GitId } from '../ids.ts';
import { type CommitGraph, commitsAlone, type GraphCommit, mergeBases } from './graph.ts';

type Spec = readonly (readonly [parents: readonly number[], timeSec: number])[];

function idOf(i: number): GitId {
  return String(i).padStart(40, '0') as GitId;
}

/** Commits by number; a parent has a smaller one. */
function graphOf(spec: Spec): CommitGraph {
  const commits = new Map<GitId, GraphCommit>(
    spec.map(([parents, timeSec], i) => [idOf(i), { parents: parents.map(idOf), timeSec }]),
  );
  return (id) => commits.get(id)!;
}

function ancestorsOf(graph: CommitGraph, start: GitId): Set<GitId> {
  const found = new Set<GitId>([start]);
  for (const id of found) for (const parent of graph(id).parents) found.add(parent);
  return found;
}

/** By the definition. */
function basesByForce(graph: CommitGraph, one: GitId, other: GitId): GitId[] {
  const theirs = ancestorsOf(graph, other);
  const common = [...ancestorsOf(graph, one)].filter((id) => theirs.has(id));
  return common.filter((id) => !common.some((better) => better !== id && ancestorsOf(graph, better).has(id)));
}

const dags = fc
  .array(fc.tuple(fc.array(fc.nat(), { maxLength: 3 }), fc.nat(20), fc.boolean()), {
    minLength: 2,
    maxLength: 25,
  })
  .map((drafts): Spec => {
    const times: number[] = [];
    return drafts.map(([picks, more, skewed], i) => {
      const parents = i === 0 ? [] : [...new Set(picks.map((pick) => pick % i))];
      const latest = Math.max(0, ...parents.map((parent) => times[parent]!));
      times.push(skewed ? more : latest + (more % 3));
      return [parents, times[i]!];
    });
  });

describe('merge bases', () => {
  it('are as the definition says, whatever the clocks', () => {
    fc.assert(
      fc.property(dags, fc.nat(), fc.nat(), (spec, a, b) => {
        const graph = graphOf(spec);
        const [one, other] = [idOf(a % spec.length), idOf(b % spec.length)];
        const found = mergeBases(graph, one, other);
        expect([...found].sort()).toEqual(basesByForce(graph, one, other).sort());
        expect(mergeBases(graph, other, one)).toEqual(found);
      }),
      { numRuns: 2_000 },
    );
  });

  it('come oldest first, ties by id', () => {
    const spec: Spec = [
      [[], 1],
      [[0], 9],
      [[0], 5],
      [[0], 5],
      [[1, 2, 3], 10],
      [[3, 1, 2], 10],
    ];
    expect(mergeBases(graphOf(spec), idOf(4), idOf(5))).toEqual([idOf(2), idOf(3), idOf(1)]);
  });

  it('of histories that never met are none', () => {
    const spec: Spec = [[[], 1], [[], 2], [[0], 3], [[1], 4]]; // biome-ignore format: short
    expect(mergeBases(graphOf(spec), idOf(2), idOf(3))).toEqual([]);
  });

  it('read only what is newer than the base', () => {
    const long: [number[], number][] = Array.from({ length: 1_000 }, (_, i) => [i === 0 ? [] : [i - 1], i]);
    const graph = graphOf([...long, [[999], 1_000], [[999], 1_001]]);
    const read = new Set<GitId>();
    const bases = mergeBases(
      (id) => {
        read.add(id);
        return graph(id);
      },
      idOf(1_000),
      idOf(1_001),
    );
    expect(bases).toEqual([idOf(999)]);
    expect(read.size).toBeLessThan(6);
  });

  it('commits of a side alone: none that the other has, the newest first', () => {
    fc.assert(
      fc.property(dags, fc.nat(), fc.nat(), (spec, a, b) => {
        const graph = graphOf(spec);
        const [one, other] = [idOf(a % spec.length), idOf(b % spec.length)];
        const theirs = ancestorsOf(graph, other);
        const expected = [...ancestorsOf(graph, one)]
          .filter((id) => !theirs.has(id))
          .sort((x, y) => graph(y).timeSec - graph(x).timeSec || (x < y ? 1 : -1));
        expect(commitsAlone(graph, one, other)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});
