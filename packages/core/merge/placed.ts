import type { GitId } from '../ids.ts';
import type { RepoPath } from '../path.ts';
import type { Rec } from '../record.ts';
import { isSameValue, type Later } from './attributes.ts';
import { isSameContent, isSameRecord, mergeRecords } from './fields.ts';
import type { SideFolders } from './folder-moves.ts';
import type { FolderNode, FolderNodes } from './folder-nodes.ts';
import type { FolderPaths } from './folder-paths.ts';
import { type Ground, otherSide, SIDES } from './ground.ts';
import type { ConflictKind, MergeEntry, SideNumber, Version } from './input.ts';
import type { MergeObject } from './objects.ts';
import { isMovedOn, mergePlaces, type ObjectPlaces, placesOf } from './places.ts';
import { laterSide, latest } from './versions.ts';

/** A merged object at the place it is to have; several can be at one path until collisions are settled. */
export interface Placed {
  readonly path: RepoPath;
  readonly record: Rec;
  /** There if one of the inputs has exactly this record. */
  readonly blob?: GitId;
  /** What it was made of: more than one if objects became one. */
  readonly objects: readonly MergeObject[];
  /** It came to this path by a rename, its own or a folder's. */
  readonly isMoved: boolean;
  /** Contents that do not stay, as objects of their own. */
  readonly losers: readonly Loser[];
  readonly conflict?: PlaceConflict;
  /** All three trees have it alike: it keeps its path. */
  readonly isUntouched?: boolean;
}

export interface Loser {
  readonly record: Rec;
  readonly version: Version | undefined;
}

/** A conflict without a loser. */
export interface PlaceConflict {
  readonly kind: ConflictKind;
  /** Rename against rename: what both sides wanted. */
  readonly wanted?: readonly RepoPath[];
}

export interface Folders {
  readonly nodes: FolderNodes;
  readonly paths: FolderPaths;
  readonly sides: readonly [SideFolders, SideFolders];
}

/** Undefined: deleted. */
export function placeObject(object: MergeObject, folders: Folders, ground: Ground): Placed | undefined {
  const places = placesOf(object, folders.nodes);
  const fate = fateOf(object, places);
  if (fate === 'deleted') return undefined;
  const { path, wanted } = mergePlaces(object, places, folders.paths, ground);
  const merged = mergeEntries(object, ground);
  const conflict = fate ?? placeConflict(object, places, wanted, folders);
  return {
    path,
    ...merged,
    objects: [object],
    isMoved: !isOldPath(object, path),
    ...(conflict === undefined ? {} : { conflict }),
  };
}

/**
 * A deletion meets what the other side did: an edit, an explicit move or a changed attribute beats it; a changed time
 * or mode, or a folder that carried it along, does not.
 */
function fateOf(object: MergeObject, places: ObjectPlaces): 'deleted' | PlaceConflict | undefined {
  const { base, sides } = object;
  if (base === undefined) return undefined;
  const [first, second] = sides;
  if (first !== undefined && second !== undefined) return undefined;
  const side = first === undefined ? 1 : 0;
  const kept = sides[side];
  if (kept === undefined) return 'deleted';
  const isWanted = isMovedOn(side, places) || isEdited(base.record, kept.record);
  return isWanted ? { kind: 'delete-edit' } : 'deleted';
}

/** A person changed what it is or what is said of it. */
export function isEdited(base: Rec, now: Rec): boolean {
  return !isSameContent(base, now) || base.entity !== now.entity || !isSameValue(base.attrs, now.attrs);
}

function isOldPath({ base, sides }: MergeObject, path: RepoPath): boolean {
  return base === undefined ? sides.some((entry) => entry?.path === path) : base.path === path;
}

function placeConflict(
  object: MergeObject,
  places: ObjectPlaces,
  wanted: readonly RepoPath[] | undefined,
  folders: Folders,
): PlaceConflict | undefined {
  if (wanted !== undefined) return { kind: 'rename-rename', wanted };
  const isSplit = SIDES.some((side) => {
    const parent = places.sides[side]?.parent;
    const came =
      object.base === undefined ? object.sides[otherSide(side)] === undefined : isMovedOn(side, places);
    return came && parent !== undefined && isInSplit(parent, otherSide(side), folders);
  });
  return isSplit ? { kind: 'directory-rename-split' } : undefined;
}

/** The side took the folder apart, so that nobody can say where what is new in it belongs. */
function isInSplit(folder: FolderNode, side: SideNumber, { sides, nodes }: Folders): boolean {
  for (let node = folder; node.home !== undefined; node = node.home.parent) {
    if (node.base === undefined) continue;
    if (sides[side].split.has(node.base)) return true;
    if (nodes.pathOn(side, node) !== undefined) return false;
  }
  return false;
}

/** The record of one object, from as many sides as have it. */
export function mergeEntries(
  object: MergeObject,
  ground: Ground,
): Pick<Placed, 'record' | 'blob' | 'losers'> {
  const { base, sides } = object;
  const [first, second] = sides;
  if (first === undefined || second === undefined) return asIs((first ?? second) as MergeEntry);
  if (first.blob === second.blob || second.blob === base?.blob) return asIs(first);
  if (first.blob === base?.blob) return asIs(second);
  const merged = mergeRecords(base?.record, first.record, second.record, laterOf(first, second, ground));
  const same = [first, second, base].find((entry) => entry && isSameRecord(entry.record, merged.record));
  const loser = merged.loser;
  const losers = loser && [
    { record: loser.record, version: ground.facts.version(loser.side, sides[loser.side] as MergeEntry) },
  ];
  return { ...(same === undefined ? { record: merged.record } : asIs(same)), losers: losers ?? [] };
}

function laterOf(first: MergeEntry, second: MergeEntry, ground: Ground): Later {
  let side: SideNumber | undefined;
  return () => (side ??= laterSide(ground.facts, first, second));
}

function asIs({ record, blob }: MergeEntry): { record: Rec; blob: GitId; losers: readonly Loser[] } {
  return { record, blob, losers: [] };
}

/** The newest version that a side made of any of its objects; undefined: no side changed it. */
export function versionOf({ objects }: Pick<Placed, 'objects'>, ground: Ground): Version | undefined {
  const versions = objects.flatMap(({ base, sides }) =>
    SIDES.flatMap((side) => {
      const entry = sides[side];
      if (entry === undefined || (entry.blob === base?.blob && entry.path === base.path)) return [];
      return [ground.facts.version(side, entry)];
    }),
  );
  return latest(versions);
}
