import type { Arrival, TreeChange } from './advance-change.ts';
import { comparePaths, nameOf, parentOf, type RepoPath } from './path.ts';

/** Files that went the same way: from below one folder to below another, or one file from path to path. */
export interface MovedGroup {
  readonly from: RepoPath;
  readonly to: RepoPath;
  readonly files: number;
}

/**
 * What moved, as a person would say it: whatever lies below `from` and kept its path there is one group. Sorted by
 * where it is now.
 */
export function movedGroups(
  { moved }: Pick<TreeChange, 'moved'>,
  arrivals: readonly Arrival[],
): MovedGroup[] {
  const groups = new Map<RepoPath, Map<RepoPath, number>>();
  const add = (from: RepoPath, to: RepoPath, files: number): void => {
    const sources = groups.get(to) ?? new Map<RepoPath, number>();
    groups.set(to, sources.set(from, (sources.get(from) ?? 0) + files));
  };
  const addMove = (before: RepoPath, after: RepoPath, files: number): void => {
    let [from, to] = [before, after];
    while (nameOf(from) === nameOf(to) && from !== to) [from, to] = [parentOf(from), parentOf(to)];
    add(from, to, files);
  };
  for (const { from, to, files } of moved) addMove(from, to, files);
  for (const { before, after, wasHere, here } of arrivals)
    if (before !== undefined && wasHere && here && before.path !== after.path)
      addMove(before.path, after.path, 1);
  const list = [...groups].flatMap(([to, sources]) =>
    [...sources].map(([from, files]) => ({ from, to, files })),
  );
  return list.sort((a, b) => comparePaths(a.to, b.to) || comparePaths(a.from, b.from));
}
