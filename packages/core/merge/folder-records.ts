import { compareNames, parentOf, type RepoPath, ROOT } from '../path.ts';
import { formatRecord, type Rec } from '../record.ts';
import { mergeRecords } from './fields.ts';
import type { FolderNode } from './folder-nodes.ts';
import { type Ground, SIDES } from './ground.ts';
import type { MergeEntry, SideNumber } from './input.ts';
import type { MergeObject } from './objects.ts';
import { type Folders, isEdited, mergeEntries, type Placed, versionOf } from './placed.ts';
import { compareVersions } from './versions.ts';

/** Folders' own records at the places of their folders; at most one at a path. */
export function placeFolderRecords(
  records: readonly MergeObject[],
  folders: Folders,
  ground: Ground,
): Map<RepoPath, Placed> {
  const placed = new Map<RepoPath, Placed>();
  for (const { node, object } of byFolder(records, folders)) {
    const conflict = isDeletedAgainstEdit(object);
    if (conflict === 'deleted') continue;
    const path = folders.paths.pathOf(node);
    const merged = mergeEntries(object, ground);
    const item: Placed = {
      path,
      ...merged,
      objects: [object],
      isMoved: false,
      ...(conflict === undefined ? {} : { conflict: { kind: conflict } }),
    };
    const known = placed.get(path);
    placed.set(path, known === undefined ? item : unifyFolders(known, item, ground));
  }
  return placed;
}

/** Records are matched by the folder that they are of; by id only where several folders became one. */
function byFolder(
  records: readonly MergeObject[],
  folders: Folders,
): { node: FolderNode; object: MergeObject }[] {
  const found = new Map<FolderNode, [MergeEntry[], MergeEntry[], MergeEntry[]]>();
  const add = (node: FolderNode, tree: 0 | 1 | 2, entry: MergeEntry | undefined): void => {
    if (entry === undefined) return;
    const known = found.get(node) ?? [[], [], []];
    known[tree].push(entry);
    found.set(node, known);
  };
  const nodeOnSide = (side: SideNumber, entry: MergeEntry, base: MergeEntry | undefined): FolderNode => {
    const before = base === undefined ? undefined : folders.nodes.inBase(base.path);
    return folders.nodes.parentOnSide(side, entry.path, before);
  };
  for (const { base, sides } of records) {
    if (base !== undefined) add(folders.nodes.inBase(base.path), 0, base);
    for (const side of SIDES) {
      const entry = sides[side];
      if (entry !== undefined) add(nodeOnSide(side, entry, base), side === 0 ? 1 : 2, entry);
    }
  }
  return [...found].map(([node, [base, first, second]]) => ({
    node,
    object: { base: base[0], sides: [first[0], second[0]] },
  }));
}

function isDeletedAgainstEdit({ base, sides }: MergeObject): 'deleted' | 'delete-edit' | undefined {
  if (base === undefined || (sides[0] !== undefined && sides[1] !== undefined)) return undefined;
  const kept = sides[0] ?? sides[1];
  return kept !== undefined && isEdited(base.record, kept.record) ? 'delete-edit' : 'deleted';
}

/** Two folders became one. */
function unifyFolders(a: Placed, b: Placed, ground: Ground): Placed {
  const [first, second] = compareNames(a.record.id, b.record.id) <= 0 ? [a, b] : [b, a];
  const later = (): SideNumber => {
    const [x, y] = [versionOf(first, ground), versionOf(second, ground)];
    if (x === undefined || y === undefined) return x === undefined ? 1 : 0;
    const order =
      compareVersions(x, y) || compareNames(formatRecord(first.record), formatRecord(second.record));
    return order >= 0 ? 0 : 1;
  };
  const { record } = mergeRecords(undefined, first.record, second.record, later);
  return { path: a.path, record, objects: [...a.objects, ...b.objects], isMoved: false, losers: [] };
}

/**
 * Leaves out records that say nothing: they were there because the folder was empty, and now it is not.
 * @param filled folders of the merged tree that hold something
 */
export function dropNeedless(
  records: ReadonlyMap<RepoPath, Placed>,
  filled: ReadonlySet<RepoPath>,
  ground: Ground,
): Placed[] {
  const kept: Placed[] = [];
  let filledOnSides: [Set<RepoPath>, Set<RepoPath>] | undefined;
  for (const [path, placed] of records) {
    if (saysNothing(placed.record) && filled.has(path)) {
      filledOnSides ??= [foldersAbove(ground.input.sides[0]), foldersAbove(ground.input.sides[1])];
      const [first, second] = filledOnSides;
      const wasFilled = placed.objects.some(({ sides }) =>
        [first, second].some((above, side) => {
          const entry = sides[side as SideNumber];
          return entry !== undefined && (above.has(entry.path) || ground.holdsUntouched(entry.path));
        }),
      );
      if (!wasFilled) continue;
    }
    kept.push(placed);
  }
  return kept;
}

function saysNothing(record: Rec): boolean {
  return record.mode === '0755' && Object.keys(record).every((key) => PLAIN.has(key));
}

const PLAIN: ReadonlySet<string> = new Set(['v', 'id', 'type', 'mode', 'was']);

/** All folders that hold something, directly or below. */
export function foldersAbove(entries: Iterable<{ readonly path: RepoPath }>): Set<RepoPath> {
  const folders = new Set<RepoPath>();
  for (const { path } of entries) {
    if (path === ROOT) continue;
    for (let folder = parentOf(path); !folders.has(folder); folder = parentOf(folder)) {
      folders.add(folder);
      if (folder === ROOT) break;
    }
  }
  return folders;
}
