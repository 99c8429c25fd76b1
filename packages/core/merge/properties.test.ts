import process from 'node:process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GitId } from '../ids.ts';
import { comparePaths } from '../path.ts';
import { factsOf, inputOf, mergeBoth, type Side } from './merge.fixture.ts';
import { mergeTrees } from './merge.ts';
import { MemoryHistory } from './merge-history.fixture.ts';
import { DEED_RANGE, type Deed, perturb, randomTree } from './merge-random.fixture.ts';
import { printTree, type Tree } from './merge-tree.fixture.ts';

/**
 * RELIABILITY 4.2 L0: one random tree, changed twice at random, merged. `mergeBoth` holds every merge against symmetry,
 * conservation of contents, the list of what may be deleted, and a valid tree. BK_MERGE_RUNS: how many in all.
 */
const RUNS = Number(process.env['BK_MERGE_RUNS'] ?? 21_000);
/** The same for every change, so that a failure is the change's; others are tried by hand. BK_MERGE_SEED: a number, or `random`. */
const SEED = seedOf(process.env['BK_MERGE_SEED'] ?? '1');
console.log(`merge properties: ${RUNS} runs, seed ${SEED}`);
const share = (percent: number): { readonly numRuns: number; readonly seed: number } => ({
  numRuns: Math.ceil((RUNS * percent) / 100),
  seed: SEED,
});

function seedOf(text: string): number {
  return text === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(text);
}

const HOURS = 3_600_000;

const number = fc.nat(DEED_RANGE);
const deeds = (maxLength: number): fc.Arbitrary<Deed[]> =>
  fc.array(fc.tuple(number, number, number, number), { maxLength });

function sideOf(tree: Tree, side: 0 | 1): Side {
  const commit = (side === 0 ? 'a' : 'b').repeat(40) as GitId;
  return { tree, version: () => ({ timeSec: 100 * (1 + side), commit, repository: side === 0 ? 'A' : 'B' }) };
}

function merge(base: Tree, a: Tree, b: Tree): ReturnType<typeof mergeBoth> {
  return mergeBoth(base, [sideOf(a, 0), sideOf(b, 1)]);
}

describe('merge: properties', () => {
  test('symmetric, conserving, valid, no deletion outside the list', { timeout: HOURS }, () => {
    fc.assert(
      fc.property(deeds(6), deeds(7), deeds(7), (start, x, y) => {
        const base = randomTree(start, 'o');
        merge(base, perturb(base, x, 'p'), perturb(base, y, 'q'));
      }),
      share(60),
    );
  });

  test('unrelated: the union, symmetric, conserving, nothing deleted', { timeout: HOURS }, () => {
    fc.assert(
      fc.property(deeds(6), deeds(6), (x, y) => {
        const [a, b] = [randomTree(x, 'p'), perturb(new Map(), [...ADDING, ...y], 'q')];
        const { tree } = merge(new Map(), a, b);
        const contents = new Set([...tree.values()].map(({ record }) => record.blake3));
        for (const { record } of [...a.values(), ...b.values()]) {
          if (record.type !== 'dir') expect(contents).toContain(record.blake3);
        }
      }),
      share(10),
    );
  });

  test('idempotent: what both have, or one alone changed, is taken as it is', { timeout: HOURS }, () => {
    fc.assert(
      fc.property(deeds(6), deeds(8), (start, x) => {
        const base = randomTree(start, 'o');
        const side = perturb(base, x, 'p');
        for (const [a, b] of [
          [side, side],
          [base, side],
        ] as const) {
          const { tree, conflicts } = merge(base, a, b);
          expect({ tree: printTree(tree.values()), conflicts }).toEqual({
            tree: printTree(side.values()),
            conflicts: [],
          });
        }
      }),
      share(10),
    );
  });

  test('the same, however much the caller left out of what all three have', { timeout: HOURS }, () => {
    fc.assert(
      fc.property(deeds(6), deeds(4), deeds(4), (start, x, y) => {
        const base = randomTree(start, 'o');
        const sides = [sideOf(perturb(base, x, 'p'), 0), sideOf(perturb(base, y, 'q'), 1)] as const;
        const trees = [sides[0].tree, sides[1].tree] as const;
        const all = (tree: Tree) => [...tree.values()].sort((a, b) => comparePaths(a.path, b.path));
        const whole = mergeTrees(
          { base: all(base), sides: [all(trees[0]), all(trees[1])] },
          factsOf(base, sides),
        );
        const pruned = mergeBoth(base, sides);
        expect({ tree: printTree(whole.entries), conflicts: whole.conflicts }).toEqual({
          tree: printTree(pruned.tree.values()),
          conflicts: pruned.conflicts,
        });
        expect(inputOf(base, trees).base.length).toBeLessThanOrEqual(base.size);
      }),
      share(8),
    );
  });

  test('three repositories that exchange in any order are alike within four rounds', {
    timeout: HOURS,
  }, () => {
    fc.assert(
      fc.property(
        deeds(4),
        fc.array(steps, { maxLength: 8 }),
        fc.array(pairs, { minLength: 4, maxLength: 4 }),
        (start, past, rounds) => {
          const world = new World(randomTree(start, 'o'));
          for (const [i, step] of past.entries()) world.step(step, i);
          for (const round of rounds) world.exchange(round);
          expect(new Set(world.heads).size).toBe(1);
        },
      ),
      share(12),
    );
  });
});

/** Makes some files where there is nothing. */
const ADDING: readonly Deed[] = [0, 1, 2, 3, 4].map((i): Deed => [18, i, i, 1 + 2 * i]);

/** Someone works, or takes over what another had when it was last looked at. */
type Step = readonly [who: number, whom: number, work: readonly Deed[]];
const steps: fc.Arbitrary<Step> = fc.tuple(fc.nat(2), fc.nat(2), deeds(3));

/** All six ways in which three can take over from each other, in some order. */
const WAYS = [
  [0, 1],
  [0, 2],
  [1, 0],
  [1, 2],
  [2, 0],
  [2, 1],
] as const;
const pairs = fc.shuffledSubarray([...WAYS], { minLength: WAYS.length });

class World {
  readonly history = new MemoryHistory();
  readonly heads: GitId[];
  /** What each was known to have when somebody last fetched from it. */
  readonly #fetched: GitId[];

  constructor(start: Tree) {
    const root = this.history.commit('A', start, [], 100);
    this.heads = [root, root, root];
    this.#fetched = [...this.heads];
  }

  step([who, whom, work]: Step, i: number): void {
    if (work.length === 0 || who === whom) {
      this.#work(who, work, i);
      return;
    }
    const [head, other] = [this.heads[who] as GitId, this.#fetched[whom] as GitId];
    this.#fetched[whom] = this.heads[whom] as GitId;
    this.heads[who] = this.history.join(head, other).head;
    this.#work(who, work.slice(1), i);
  }

  #work(who: number, work: readonly Deed[], i: number): void {
    const head = this.heads[who] as GitId;
    const tree = perturb(this.history.read(head).tree, work, `${'pqr'[who]}${i}`);
    this.heads[who] = this.history.commit('ABC'[who] as string, tree, [head], 200 + 10 * i);
  }

  exchange(round: readonly (readonly [number, number])[]): void {
    for (const [who, whom] of round) {
      this.heads[who] = this.history.join(this.heads[who] as GitId, this.heads[whom] as GitId).head;
    }
  }
}
