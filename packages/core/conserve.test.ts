import { describe, expect, it } from 'vitest';
import { planBetween, type TreePlan } from './advance.ts';
import type { DiskFacts, FileAt, TreeChange } from './advance-change.ts';
import { checkPlan } from './conserve.ts';
import type { ContentHash, ObjectId } from './ids.ts';
import type { RepoPath } from './path.ts';
import type { Step } from './plan.ts';

const file = (path: string, content: string, id = content): FileAt => ({
  path: path as RepoPath,
  id: id as ObjectId,
  type: 'file',
  blake3: content as ContentHash,
  size: 1,
  mtimeNs: 0n,
  mode: 0o644,
});
const folders = [{ path: '' as RepoPath, mode: 0o755, stays: true }];
const change = (before: FileAt[], after: FileAt[]): TreeChange => ({
  before: { files: before, folders },
  after: { files: after, folders },
  moved: [],
});
const isHere = () => true;
const facts: DiskFacts = {
  isHere,
  wants: () => true,
  wanted: () => true,
  holdsMore: () => false,
  expect: () => ({ is: 'entry', inode: 1n, size: 1, mtimeNs: 0n, ctimeNs: 0n }),
  contentOf: ({ blake3, size }) => ({ source: '', how: 'copy', blake3, size }),
};

/** Rule 6: a plan that was spoiled must stop before the disk is touched. */
describe('checkPlan', () => {
  const two = change(
    [file('a', 'A'), file('b', 'B'), file('c', 'C'), file('d', 'D')],
    [file('b', 'A'), file('a', 'B'), file('c', 'CC', 'C')],
  );
  const good = planBetween(two, facts);
  const without = (kind: Step['do']): TreePlan => ({
    ...good,
    steps: good.steps.filter((step) => step.do !== kind),
  });

  it('lets a right plan pass', () => {
    expect(() => checkPlan(two, good, isHere)).not.toThrow();
  });

  it.each<[string, TreePlan]>([
    ['overwrites, because nothing was parked', without('park')],
    ['forgets a deletion', without('remove')],
    ['forgets an edit', without('place')],
    ['forgets a move', without('move')],
    ['deletes more than it says', { ...good, deleted: [] }],
    ['says it deletes what it does not', { ...good, deleted: [...good.deleted, file('x', 'X')] }],
    [
      'removes what stays',
      {
        ...good,
        steps: [
          ...good.steps,
          { do: 'remove', path: 'a' as RepoPath, expect: facts.expect('a' as RepoPath) },
        ],
      },
    ],
    ['is in the wrong order', { ...good, steps: good.steps.toReversed() }],
    [
      'replaces another content than it thinks',
      {
        ...good,
        steps: good.steps.map((step) => (step.do === 'place' ? { ...step, path: 'a' as RepoPath } : step)),
      },
    ],
  ])('stops one that %s', (_, plan) => {
    expect(() => checkPlan(two, plan, isHere)).toThrow(expect.objectContaining({ code: 'bug' }));
  });
});
