import { compareNames, type RepoPath, ROOT } from '../path.ts';
import { formatRecord, type Rec } from '../record.ts';
import { mergeRecords } from './fields.ts';
import type { FolderNode } from './folder-nodes.ts';
import { type Ground, otherSide, SIDES } from './ground.ts';
import type { MergeEntry, SideNumber } from './input.ts';
import type { MergeObject } from './objects.ts';
import { parentReader } from './parent-reader.ts';
import { type Folders, isEdited, mergeEntries, type Placed, versionOf } from './placed.ts';
import { compareVersions } from './versions.ts';

/** A folder's own record at the place of its folder. */
export interface PlacedRecord {
  readonly placed: Placed;
  /** The other side deleted the folder, and this one only gave it a mode or emptied it. */
  readonly isForsaken: boolean;
}

/** At most one at a path. */
export function placeFolderRecords(
  records: readonly MergeObject[],
  folders: Folders,
  ground: Ground,
): Map<RepoPath, PlacedRecord> {
  const placed = new Map<RepoPath, PlacedRecord>();
  for (const [folder, object] of byFolder(records, folders)) {
    const fate = fateOf(object);
    if (fate === 'deleted') continue;
    const path = folders.paths.pathOf(folder);
    const { made } = mergeEntries(object, ground);
    const item: Placed = {
      entry: { ...made, path },
      objects: [object],
      isMoved: false,
      losers: [],
      conflict: fate && { kind: fate },
      isUntouched: false,
    };
    const isForsaken = isForsakenOn(folder, object, folders);
    const known = placed.get(path);
    const other = known?.placed ?? untouchedAt(path, ground);
    placed.set(path, {
      placed: other === undefined ? item : unifyFolders(other, item, ground),
      isForsaken: isForsaken && known?.isForsaken !== false,
    });
  }
  return placed;
}

/** The record that all three trees have alike of a folder that another one went into. */
function untouchedAt(path: RepoPath, ground: Ground): Placed | undefined {
  const entry = ground.untouchedRecord(path);
  if (entry === undefined) return undefined;
  const objects = [{ base: entry, sides: [entry, entry] as const }];
  return { entry, objects, isMoved: false, losers: [], conflict: undefined, isUntouched: true };
}

function isForsakenOn(folder: FolderNode, { base, sides }: MergeObject, { nodes }: Folders): boolean {
  if (folder.base === undefined || base !== undefined) return false;
  const side = sides[0] === undefined ? 1 : 0;
  const entry = sides[side];
  if (entry === undefined || entry.record.entity !== undefined || entry.record.attrs !== undefined)
    return false;
  return sides[otherSide(side)] === undefined && nodes.pathOn(otherSide(side), folder) === undefined;
}

/**
 * Records are matched by the folder that they are of; by id only where several folders became one, or where a side put
 * a record elsewhere than what was in its folder: then it goes there.
 */
function byFolder(records: readonly MergeObject[], { nodes }: Folders): Map<FolderNode, MergeObject> {
  const bases = new Map<FolderNode, MergeEntry>();
  const sides = [new Map<FolderNode, MergeEntry>(), new Map<FolderNode, MergeEntry>()] as const;
  const astray: Astray[] = [];
  for (const object of records) {
    const before = object.base && nodes.inBase(object.base.path);
    if (before !== undefined && object.base !== undefined) bases.set(before, object.base);
    for (const side of SIDES) {
      const entry = object.sides[side];
      if (entry === undefined) continue;
      const folder = nodes.parentOnSide(side, entry.path, before);
      sides[side].set(folder, entry);
      if (before !== undefined && folder !== before) astray.push({ object, side, before, folder });
    }
  }
  for (const { object, side, before, folder } of astray) {
    const other = otherSide(side);
    const entry = object.sides[other];
    if (object.base === undefined || entry === undefined || sides[other].get(before) !== entry) continue;
    if (bases.has(folder) || sides[other].has(folder)) continue;
    bases.set(folder, object.base);
    sides[other].set(folder, entry);
    bases.delete(before);
    sides[other].delete(before);
  }
  const found = new Map<FolderNode, MergeObject>();
  for (const folder of [...bases.keys(), ...sides[0].keys(), ...sides[1].keys()])
    found.set(folder, { base: bases.get(folder), sides: [sides[0].get(folder), sides[1].get(folder)] });
  return found;
}

/** A record that a side has of another folder than the base has it of. */
interface Astray {
  readonly object: MergeObject;
  readonly side: SideNumber;
  readonly before: FolderNode;
  readonly folder: FolderNode;
}

function fateOf({ base, sides }: MergeObject): 'deleted' | 'delete-edit' | undefined {
  if (base === undefined || (sides[0] !== undefined && sides[1] !== undefined)) return undefined;
  const kept = sides[0] ?? sides[1];
  return kept !== undefined && isEdited(base.record, kept.record) ? 'delete-edit' : 'deleted';
}

/** Two folders became one. */
function unifyFolders(a: Placed, b: Placed, ground: Ground): Placed {
  const [first, second] = compareNames(a.entry.record.id, b.entry.record.id) <= 0 ? [a, b] : [b, a];
  const later = (): SideNumber => {
    const [x, y] = [versionOf(first, ground), versionOf(second, ground)];
    if (x === undefined || y === undefined) return x === undefined ? 1 : 0;
    const order =
      compareVersions(x, y) ||
      compareNames(formatRecord(first.entry.record), formatRecord(second.entry.record));
    return order >= 0 ? 0 : 1;
  };
  const { record } = mergeRecords(undefined, first.entry.record, second.entry.record, later);
  const objects = [...a.objects, ...b.objects];
  return { ...a, entry: { path: a.entry.path, record }, objects, conflict: a.conflict ?? b.conflict };
}

/**
 * Leaves out records that say nothing, because they were there for an empty folder and now it is not; and those that are
 * all that is left of a folder that the other side deleted.
 * @param filled folders of the merged tree that hold something, other than such records
 */
export function dropNeedless(
  records: ReadonlyMap<RepoPath, PlacedRecord>,
  filled: ReadonlySet<RepoPath>,
  ground: Ground,
): Placed[] {
  let filledOnSides: readonly [Set<RepoPath>, Set<RepoPath>] | undefined;
  const wasFilled = ({ objects }: Placed): boolean => {
    filledOnSides ??= [foldersAbove(ground.input.sides[0]), foldersAbove(ground.input.sides[1])];
    const above = filledOnSides;
    return objects.some(({ sides }) =>
      SIDES.some((side) => {
        const path = sides[side]?.path;
        return path !== undefined && (above[side].has(path) || ground.holdsUntouched(path));
      }),
    );
  };
  const isNeeded = (path: RepoPath, { placed, isForsaken }: PlacedRecord): boolean => {
    if (!filled.has(path)) return !isForsaken;
    return !saysNothing(placed.entry.record) || wasFilled(placed);
  };
  return [...records].flatMap(([path, one]) => (isNeeded(path, one) ? [one.placed] : []));
}

function saysNothing(record: Rec): boolean {
  return record.mode === '0755' && Object.keys(record).every((key) => PLAIN.has(key));
}

const PLAIN: ReadonlySet<string> = new Set(['v', 'id', 'type', 'mode', 'was']);

/** All folders that hold something, directly or below. */
export function foldersAbove(entries: Iterable<{ readonly path: RepoPath }>): Set<RepoPath> {
  const folders = new Set<RepoPath>();
  const parentOf = parentReader();
  let last: RepoPath | undefined;
  for (const { path } of entries) {
    if (path === ROOT) continue;
    const parent = parentOf(path);
    if (parent === last) continue;
    last = parent;
    for (let folder = parent; !folders.has(folder); folder = parentOf(folder)) folders.add(folder);
  }
  return folders;
}
