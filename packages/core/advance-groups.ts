import { type Arrival, type FileAt, sameBytes, type TreeChange } from './advance-change.ts';
import type { Change } from './change.ts';
import { sortChanges } from './diff.ts';
import { comparePaths, type EncodedName, joinPath, nameOf, parentOf, type RepoPath } from './path.ts';

/** Files that went the same way: from below one folder to below another, or one file from path to path. */
export interface MovedGroup {
  readonly from: RepoPath;
  readonly to: RepoPath;
  readonly files: number;
  /** It is one file, and these are its paths. */
  readonly file?: true;
}

/**
 * What moved, as a person would say it: whatever went from below one folder to below another under the same names is one
 * group, named by the deepest folders that hold all of it. Sorted by where it is now.
 */
export function movedGroups(
  { moved }: Pick<TreeChange, 'moved'>,
  arrivals: readonly Arrival[],
): MovedGroup[] {
  const groups = new MovedGroups();
  for (const { from, to, files } of moved) groups.add({ from, to, files });
  for (const { before, after, wasHere, here } of arrivals)
    if (before !== undefined && wasHere && here && before.path !== after.path)
      groups.add({ from: before.path, to: after.path, files: 1, file: true });
  return groups.sorted();
}

/** Moves between the same two folders; the names below them that all have in common. */
interface Group {
  files: number;
  names: readonly EncodedName[];
  /** The only move so far, if it is one file. */
  only: MovedGroup | undefined;
}

class MovedGroups {
  /** By the folder it went to, then by where it came from. */
  readonly #groups = new Map<RepoPath, Map<RepoPath, Group>>();

  add(move: MovedGroup): void {
    const names: EncodedName[] = [];
    let { from, to } = move;
    for (; nameOf(from) === nameOf(to) && from !== to; [from, to] = [parentOf(from), parentOf(to)])
      names.unshift(nameOf(from));
    const folders = move.file ? names.slice(0, -1) : names;
    const sources = this.#groups.get(to) ?? new Map<RepoPath, Group>();
    this.#groups.set(to, sources);
    const known = sources.get(from);
    if (known === undefined) {
      sources.set(from, { files: move.files, names: folders, only: move.file ? move : undefined });
      return;
    }
    known.files += move.files;
    known.only = undefined;
    const end = known.names.findIndex((name, i) => folders[i] !== name);
    if (end >= 0) known.names = known.names.slice(0, end);
  }

  sorted(): MovedGroup[] {
    const groups: MovedGroup[] = [];
    for (const [to, sources] of this.#groups)
      for (const [from, { files, names, only }] of sources)
        groups.push(only ?? { from: below(from, names), to: below(to, names), files });
    return groups.sort((a, b) => comparePaths(a.to, b.to) || comparePaths(a.from, b.from));
  }
}

function below(folder: RepoPath, names: readonly EncodedName[]): RepoPath {
  return names.reduce((path, name) => joinPath(path, name), folder);
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
