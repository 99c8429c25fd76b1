import type { JsonObject } from '../json.ts';
import { compareNames, type RepoPath } from '../path.ts';
import { type Final, type FinalConflict, finalOf, settleCollisions } from './collide.ts';
import { recogniseMoves } from './folder-moves.ts';
import { folderNodes } from './folder-nodes.ts';
import { folderPaths } from './folder-paths.ts';
import { dropNeedless, foldersAbove, placeFolderRecords } from './folder-records.ts';
import { type Ground, prepareGround } from './ground.ts';
import type { MergeConflict, Merged, MergedEntry, MergeEntry, MergeFacts, MergeInput } from './input.ts';
import { type MergeObject, matchObjects } from './objects.ts';
import { type Folders, type Placed, placeObject } from './placed.ts';

/**
 * The three-way merge of trees (SPEC 6), per object and per field. Always completes; what cannot be decided by facts is
 * kept twice and reported. The result is the same whichever side is called first.
 */
export function mergeTrees(input: MergeInput, facts: MergeFacts): Merged {
  const ground = prepareGround(input, facts);
  const files = matchAll(ground, (entry) => entry.record.type !== 'dir');
  const records = matchAll(ground, (entry) => entry.record.type === 'dir');
  const folders = mergeFolders(files, records, ground);
  const placed: Placed[] = [];
  for (const object of files) {
    const item = placeObject(object, folders, ground);
    if (item !== undefined) placed.push(item);
  }
  const ofFolders = placeFolderRecords(records, folders, ground);
  const filled = foldersAbove([...placed, ...ofFolders.values()]);
  const kept = dropNeedless(ofFolders, filled, ground);
  for (const { path } of kept) filled.add(path);
  const settled = settleCollisions(placed, filled, ground);
  return report(settled.files, kept, [...settled.conflicts, ...folderConflicts(folders)], ground);
}

function matchAll(ground: Ground, isOne: (entry: MergeEntry) => boolean): MergeObject[] {
  const { base, sides } = ground.input;
  return matchObjects(base.filter(isOne), [sides[0].filter(isOne), sides[1].filter(isOne)]);
}

function mergeFolders(
  files: readonly MergeObject[],
  records: readonly MergeObject[],
  ground: Ground,
): Folders {
  const sides = [
    recogniseMoves(files, records, 0, ground),
    recogniseMoves(files, records, 1, ground),
  ] as const;
  const nodes = folderNodes(sides, ground);
  return { sides, nodes, paths: folderPaths(nodes, sides, ground) };
}

function folderConflicts({ paths }: Folders): MergeConflict[] {
  return paths.disputed().map(({ path }) => ({ path, kind: 'rename-rename', kept: [] }));
}

function report(
  files: readonly Final[],
  records: readonly Placed[],
  others: readonly MergeConflict[],
  ground: Ground,
): Merged {
  const finals = [...files, ...records.map((placed) => finalOf(placed, placed.path))];
  const alike = ground.alike.map(({ path, record, blob }) => ({ path, record, blob }));
  const alone = finals.flatMap(({ path, conflict }): MergeConflict[] =>
    conflict?.isAlone === true ? [{ path, kind: conflict.kind, kept: [] }] : [],
  );
  return {
    entries: [...alike, ...finals.map(entryOf)].sort(byPath),
    conflicts: [...others, ...alone].sort(byPathAndKind),
  };
}

function entryOf({ path, record, blob, conflict }: Final): MergedEntry {
  if (conflict !== undefined) return { path, record: { ...record, conflict: conflictField(conflict) } };
  return blob === undefined ? { path, record } : { path, record, blob };
}

function conflictField({ kind, versions }: FinalConflict): JsonObject {
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
