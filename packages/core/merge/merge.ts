import type { JsonObject } from '../json.ts';
import { compareNames, type RepoPath } from '../path.ts';
import { type Contested, type Settled, settleCollisions, type VersionAt } from './collide.ts';
import { recogniseMoves } from './folder-moves.ts';
import { FolderNodes } from './folder-nodes.ts';
import { FolderPaths } from './folder-paths.ts';
import { dropNeedless, foldersAbove, placeFolderRecords } from './folder-records.ts';
import { type Ground, prepareGround } from './ground.ts';
import type { ConflictKind, MergeConflict, Merged, MergedEntry, MergeFacts, MergeInput } from './input.ts';
import { type Folders, type Placed, placeObject } from './placed.ts';
import { parentFinder } from './places.ts';

/**
 * The three-way merge of trees (SPEC 6), per object and per field. Always completes; what cannot be decided by facts is
 * kept twice and reported. The result is the same whichever side is called first.
 */
export function mergeTrees(input: MergeInput, facts: MergeFacts): Merged {
  const ground = prepareGround(input, facts);
  const folders = mergeFolders(ground);
  const placed: Placed[] = [];
  const parentsOf = parentFinder(folders.nodes);
  for (const object of ground.files) {
    const item = placeObject(object, parentsOf(object), folders, ground);
    if (item !== undefined) placed.push(item);
  }
  const ofFolders = placeFolderRecords(ground.records, folders, ground);
  const filled = foldersAbove([...placed, ...ofFolders.values()].map(({ entry }) => entry));
  const records = dropNeedless(ofFolders, filled, ground);
  for (const { entry } of records) filled.add(entry.path);
  const settled = settleCollisions(placed, filled, ground);
  return report(ground, settled, [...settled.free, ...records], folderConflicts(folders));
}

function mergeFolders(ground: Ground): Folders {
  const sides = [recogniseMoves(0, ground), recogniseMoves(1, ground)] as const;
  const nodes = new FolderNodes(sides, ground);
  return { sides, nodes, paths: new FolderPaths(nodes, ground) };
}

function folderConflicts({ sides, nodes, paths }: Folders): MergeConflict[] {
  for (const path of sides[0].moves.keys()) if (sides[1].moves.has(path)) paths.pathOf(nodes.inBase(path));
  return paths.disputed().map((folder) => ({ path: paths.pathOf(folder), kind: 'rename-rename', kept: [] }));
}

function report(
  { alike }: Ground,
  { contested, conflicts }: Settled,
  free: readonly Placed[],
  others: readonly MergeConflict[],
): Merged {
  const entries: MergedEntry[] = alike.map(({ path, record, blob }) => ({ path, record, blob }));
  const all = [...conflicts, ...others];
  for (const { entry, conflict } of free) {
    if (conflict === undefined) entries.push(entry);
    else {
      const { path, record } = entry;
      const versions = (conflict.wanted ?? [path]).map((wanted) => ({ path: wanted, record }));
      entries.push(withConflict({ path, record, kind: conflict.kind, versions }));
      all.push({ path, kind: conflict.kind, kept: [] });
    }
  }
  for (const entry of contested) entries.push(withConflict(entry));
  return { entries: entries.sort(byPath), conflicts: all.sort(byPathAndKind) };
}

function withConflict({ path, record, kind, versions }: Contested): MergedEntry {
  return { path, record: { ...record, conflict: conflictField(kind, versions) } };
}

function conflictField(kind: ConflictKind, versions: readonly VersionAt[]): JsonObject {
  const sorted = versions
    .map(({ path, record }) => (record.blake3 === undefined ? { path } : { path, blake3: record.blake3 }))
    .sort((a, b) => compareNames(a.path, b.path) || compareNames(a.blake3 ?? '', b.blake3 ?? ''));
  return { kind, versions: sorted };
}

function byPath(a: { readonly path: RepoPath }, b: { readonly path: RepoPath }): number {
  return compareNames(a.path, b.path);
}

function byPathAndKind(a: MergeConflict, b: MergeConflict): number {
  return compareNames(a.path, b.path) || compareNames(a.kind, b.kind);
}
