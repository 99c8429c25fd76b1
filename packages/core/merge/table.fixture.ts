import { expect } from 'vitest';
import { mergeSwapped, mergeWhole, namesIn, shortOf, treeOf, type Words } from './tree.fixture.ts';

/** A merge in words. */
export interface Case {
  readonly base: Words;
  readonly alpha: Words;
  readonly beta: Words;
  readonly merged: Words;
  /** `kind path: kept, kept`, in order. */
  readonly conflicts?: readonly string[];
}

/** Checks it from both sides. Beta's versions are the later ones. */
export function check({ base, alpha, beta, merged, conflicts = [] }: Case): void {
  const trees = [treeOf(base), treeOf(alpha), treeOf(beta)] as const;
  const names = namesIn(base, alpha, beta);
  const outcome = mergeWhole(trees);
  const told = outcome.merged.conflicts.map(({ kind, path, kept }) =>
    `${kind} ${path}: ${kept.join(', ')}`.trim(),
  );
  expect({ tree: shortOf(outcome.tree, names), conflicts: told }).toEqual({ tree: merged, conflicts });
  expect(mergeSwapped(trees).merged).toEqual(outcome.merged);
}
