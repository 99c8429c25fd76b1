import { type Arrival, type FileAt, sameBytes, type TreeChange } from './advance-change.ts';
import type { Change } from './change.ts';
import { sortChanges } from './diff.ts';
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

/**
 * What else becomes of the files here, one change each, sorted by path: those that only get another place are in the
 * groups, and what neither was nor comes here is not told.
 */
export function changesBesideMoves(arrivals: readonly Arrival[], deleted: readonly FileAt[]): Change[] {
  const changes: Change[] = deleted.map((file) => ({ type: 'deleted', ...factsOf(file) }));
  for (const { before, after, wasHere, here } of arrivals) {
    if (!here) continue;
    const facts = factsOf(after);
    if (before === undefined || !wasHere) {
      changes.push({ type: 'added', ...facts });
      continue;
    }
    const fields = fieldsThatDiffer(before, after);
    if (fields.length === 0) continue;
    if (before.path === after.path) changes.push({ type: typeOf(fields), ...facts, fields });
    else changes.push({ type: 'renamed', ...facts, from: before.path, fields });
  }
  return sortChanges(changes);
}

function factsOf({ path, id, size, blake3 }: FileAt): Pick<Change, 'path' | 'id' | 'size' | 'blake3'> {
  return { path, id, size, blake3 };
}

function fieldsThatDiffer(before: FileAt, after: FileAt): string[] {
  const fields: string[] = [];
  if (before.type !== after.type) return ['type'];
  if (!sameBytes(before, after)) fields.push('content');
  if (after.type === 'file' && before.mode !== after.mode) fields.push('mode');
  if (before.mtimeNs !== after.mtimeNs) fields.push('mtime');
  if (before.target !== after.target) fields.push('target');
  return fields;
}

function typeOf(fields: readonly string[]): Change['type'] {
  if (fields.includes('type')) return 'typechange';
  return fields.includes('content') ? 'modified' : 'metadata';
}
