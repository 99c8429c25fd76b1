import { type GitId, joinPath, type RepoPath, ROOT } from '@bk/core';
import type { HistoryReader } from './reader.ts';
import { compareTreeEntries, type TreeEntry } from './tree-object.ts';

/** A record's blob at a path. */
export interface TreeFile {
  readonly path: RepoPath;
  readonly id: GitId;
}

/** A path whose record differs between two trees; `before` or `after` is absent where there is none. */
export interface TreeDifference {
  readonly path: RepoPath;
  readonly before?: GitId;
  readonly after?: GitId;
}

type Trees = Pick<HistoryReader, 'readTree'>;

/** All blobs below a tree, in the order of `git ls-tree -r` (bytes of the whole path). */
export function* walkTree(reader: Trees, id: GitId, folder: RepoPath = ROOT): Iterable<TreeFile> {
  const stack = [{ folder, entries: reader.readTree(id), next: 0 }];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const entry = frame.entries[frame.next++];
    if (entry === undefined) {
      stack.pop();
      continue;
    }
    const path = joinPath(frame.folder, entry.name);
    if (entry.kind === 'blob') yield { path, id: entry.id };
    else stack.push({ folder: path, entries: reader.readTree(entry.id), next: 0 });
  }
}

const NOTHING: readonly TreeEntry[] = [];

/**
 * Blobs that differ between two trees (undefined: no tree), in the order of `git diff-tree -r`. Equal subtrees are not
 * read. A file that became a folder is a removal of the file and additions below the folder.
 */
export function* diffTrees(
  reader: Trees,
  a: GitId | undefined,
  b: GitId | undefined,
): Iterable<TreeDifference> {
  const open = (folder: RepoPath, before: GitId | undefined, after: GitId | undefined) => ({
    folder,
    before: before === undefined ? NOTHING : reader.readTree(before),
    after: after === undefined ? NOTHING : reader.readTree(after),
    i: 0,
    j: 0,
  });
  if (a === b) return;
  const stack = [open(ROOT, a, b)];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const x = frame.before[frame.i];
    const y = frame.after[frame.j];
    if (x === undefined && y === undefined) {
      stack.pop();
      continue;
    }
    const order = x === undefined ? 1 : y === undefined ? -1 : compareTreeEntries(x, y);
    if (order <= 0) frame.i++;
    if (order >= 0) frame.j++;
    const before = order <= 0 ? x?.id : undefined;
    const after = order >= 0 ? y?.id : undefined;
    if (before === after) continue;
    const entry = (order <= 0 ? x : y)!;
    const path = joinPath(frame.folder, entry.name);
    if (entry.kind === 'tree') stack.push(open(path, before, after));
    else yield { path, ...(before && { before }), ...(after && { after }) };
  }
}

/** What lies at a path below a tree: the entry, 'root' for the root itself, undefined if nothing. */
export function findInTree(
  reader: Trees,
  root: GitId,
  path: RepoPath,
): { kind: 'tree' | 'blob'; id: GitId } | undefined {
  let found: { kind: 'tree' | 'blob'; id: GitId } = { kind: 'tree', id: root };
  if (path === ROOT) return found;
  for (const name of path.split('/')) {
    if (found.kind !== 'tree') return undefined;
    const entry: TreeEntry | undefined = reader
      .readTree(found.id)
      .find((candidate) => candidate.name === name);
    if (entry === undefined) return undefined;
    found = entry;
  }
  return found;
}
