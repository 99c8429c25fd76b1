import fc from 'fast-check';
import { expect, test } from 'vitest';
import { companionStem } from '../companions.ts';
import type { EncodedName } from '../path.ts';
import { factsOf, inputOf, mergeBoth, sideOf } from './merge.fixture.ts';
import { mergeTrees } from './merge.ts';
import { parseTree, printTree, type Tree, type TreeText } from './merge-tree.fixture.ts';

const NAMES = ['p.CR2', 'p.CR2.xmp', 'p.jpg', 'p.xmp', 'q.jpg', 'q.mov', 'r.txt', 'r.txt.xmp'] as const;

/** What a side did to one file: nothing, edited or added it at a day, deleted it, added what both have. */
const deed = fc.tuple(
  fc.constantFrom('nothing', 'edit', 'edit', 'delete', 'same'),
  fc.integer({ min: 2, max: 9 }),
);
const side = fc.array(deed, { minLength: NAMES.length, maxLength: NAMES.length });
const held = fc.array(fc.boolean(), { minLength: NAMES.length, maxLength: NAMES.length });

function baseOf(isThere: readonly boolean[]): TreeText {
  const there = NAMES.flatMap((name, i) => (isThere[i] ? [[`d/${name}`, `${i} old${i}`]] : []));
  return Object.fromEntries([['k', '99 k'], ...there]);
}

function changed(base: TreeText, deeds: readonly (readonly [string, number])[], tag: 'a' | 'b'): TreeText {
  const tree: Record<string, string> = { ...base };
  for (const [i, name] of NAMES.entries()) {
    const [what, day] = deeds[i] ?? ['nothing', 0];
    const id = base[`d/${name}`] === undefined ? `${tag}${i}` : `${i}`;
    if (what === 'edit') tree[`d/${name}`] = `${id} ${tag}${i} t=${day}`;
    if (what === 'same') tree[`d/${name}`] = `${id} same${i} t=2`;
    if (what === 'delete') delete tree[`d/${name}`];
  }
  return tree;
}

/** The name of a content that stays at a path, and which side made it. */
const contentsIn = (tree: Tree) =>
  new Map(Object.entries(printTree(tree.values())).map(([path, text]) => [path, text.split(' ')[1] ?? '']));

test('of companions that both sides changed, those of one side stay, and the others are companions again', () => {
  fc.assert(
    fc.property(held, side, side, (isThere, x, y) => {
      const base = baseOf(isThere);
      const [a, b] = [changed(base, x, 'a'), changed(base, y, 'b')];
      const sides = [sideOf(a, 0), sideOf(b, 1)] as const;
      const { tree, conflicts } = mergeBoth(parseTree(base).tree, sides);
      const lost = conflicts.flatMap(({ path, kept }) =>
        kept.flatMap((one) => (a[path]?.includes(' a') && b[path]?.includes(' b') ? [{ path, one }] : [])),
      );
      for (const group of Map.groupBy(lost, ({ path }) =>
        companionStem(path as string as EncodedName),
      ).values()) {
        const stays = contentsIn(tree);
        expect(new Set(group.map(({ path }) => stays.get(path)?.[0])).size).toBe(1);
        expect(new Set(group.map(({ one }) => companionStem(one as string as EncodedName))).size).toBe(1);
      }
    }),
    { numRuns: 2000, seed: 1 },
  );
});

test('whatever the caller left out of what all three have', () => {
  fc.assert(
    fc.property(held, side, side, (isThere, x, y) => {
      const base = parseTree(baseOf(isThere)).tree;
      const sides = [
        sideOf(changed(baseOf(isThere), x, 'a'), 0),
        sideOf(changed(baseOf(isThere), y, 'b'), 1),
      ] as const;
      const trees = [sides[0].tree, sides[1].tree] as const;
      const all = [base, ...trees].map((tree) => [...tree.values()]) as [never, never, never];
      const whole = mergeTrees({ base: all[0], sides: [all[1], all[2]] }, factsOf(base, sides));
      const pruned = mergeTrees(inputOf(base, trees), factsOf(base, sides));
      expect(whole.conflicts).toEqual(pruned.conflicts);
      const listed = new Map(whole.entries.map((entry) => [entry.path, entry.record]));
      for (const { path, record } of pruned.entries) expect(listed.get(path)).toEqual(record);
    }),
    { numRuns: 500, seed: 1 },
  );
});
