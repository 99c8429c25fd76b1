import { BkError } from '../error.ts';
import type { RepoPath } from '../path.ts';
import type { Rec } from '../record.ts';
import { isSameValue, type Later } from './attributes.ts';
import { isDecided, isSameContent, isSameRecord, mergeRecords } from './fields.ts';
import type { SideFolders } from './folder-moves.ts';
import type { FolderNode, FolderNodes } from './folder-nodes.ts';
import type { FolderPaths } from './folder-paths.ts';
import { type Ground, otherSide, SIDES } from './ground.ts';
import type { ConflictKind, MergedEntry, MergeEntry, SideNumber, Version } from './input.ts';
import type { MergeObject } from './objects.ts';
import { isMovedOn, mergePlaces, type Parents } from './places.ts';
import { laterSide, latest } from './versions.ts';

/** A merged object at the place it is to have; several can be at one path until collisions are settled. */
export interface Placed {
  /** Its record is without the conflict that this merge makes. */
  readonly entry: MergedEntry;
  /** What it was made of: more than one if objects became one. */
  readonly objects: readonly MergeObject[];
  /** It came to this path by a rename, its own or a folder's. */
  readonly isMoved: boolean;
  /** Contents that do not stay, as objects of their own. */
  readonly losers: readonly Loser[];
  readonly conflict: PlaceConflict | undefined;
  /** All three trees have it alike: it keeps its path. */
  readonly isUntouched: boolean;
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
export function placeObject(
  object: MergeObject,
  parents: Parents,
  folders: Folders,
  ground: Ground,
): Placed | undefined {
  const fate = fateOf(object, parents);
  if (fate === 'deleted') return undefined;
  const { path, wanted } = mergePlaces(object, parents, folders.paths, ground);
  const { made, losers } = mergeEntries(object, ground);
  const conflict = fate ?? placeConflict(object, parents, wanted, folders);
  const isMoved = !isOldPath(object, path);
  return {
    entry: entryAt(path, made, object),
    objects: [object],
    isMoved,
    losers,
    conflict,
    isUntouched: false,
  };
}

/** An entry of the input itself, if it is the same. */
function entryAt(path: RepoPath, made: Made, { sides: [first, second] }: MergeObject): MergedEntry {
  if (made.blob === undefined) return { path, record: made.record };
  if (first?.path === path && first.blob === made.blob) return first;
  if (second?.path === path && second.blob === made.blob) return second;
  return { path, record: made.record, blob: made.blob };
}

/**
 * A deletion meets what the other side did: an edit, an explicit move or a changed attribute beats it; a changed time
 * or mode, or a folder that carried it along, does not.
 */
function fateOf(object: MergeObject, parents: Parents): 'deleted' | PlaceConflict | undefined {
  const { base, sides } = object;
  if (base === undefined) return undefined;
  const [first, second] = sides;
  if (first !== undefined && second !== undefined) return undefined;
  const side = first === undefined ? 1 : 0;
  const kept = sides[side];
  if (kept === undefined) return 'deleted';
  const isWanted = isMovedOn(side, object, parents) || isEdited(base.record, kept.record);
  return isWanted ? { kind: 'delete-edit' } : 'deleted';
}

/** A person changed what it is or what is said of it, or decided that it stays. */
export function isEdited(base: Rec, now: Rec): boolean {
  if (!isSameContent(base, now) || isDecided(base, now)) return true;
  return base.entity !== now.entity || !isSameValue(base.attrs, now.attrs);
}

function isOldPath({ base, sides }: MergeObject, path: RepoPath): boolean {
  return base === undefined ? sides.some((entry) => entry?.path === path) : base.path === path;
}

function placeConflict(
  object: MergeObject,
  parents: Parents,
  wanted: readonly RepoPath[] | undefined,
  folders: Folders,
): PlaceConflict | undefined {
  if (wanted !== undefined) return { kind: 'rename-rename', wanted };
  const isSplit = SIDES.some((side) => {
    const parent = parents.sides[side];
    const isNew = object.base === undefined && object.sides[otherSide(side)] === undefined;
    const came = isNew || isMovedOn(side, object, parents);
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

/** A record, with its blob if one of the inputs has exactly this. */
type Made = Pick<MergedEntry, 'record' | 'blob'>;

/** The record of one object, from as many sides as have it. */
export function mergeEntries(object: MergeObject, ground: Ground): { made: Made; losers: readonly Loser[] } {
  const { base, sides } = object;
  const [first, second] = sides;
  const one = first ?? second;
  if (one === undefined) throw new BkError('bug', 'an object that no side has');
  if (first === undefined || second === undefined) return { made: one, losers: NONE };
  if (first.blob === second.blob || second.blob === base?.blob) return { made: first, losers: NONE };
  if (first.blob === base?.blob) return { made: second, losers: NONE };
  const { record, loser } = mergeRecords(
    base?.record,
    first.record,
    second.record,
    laterOf(first, second, ground),
    () => ground.companionSide(object),
  );
  const made = [first, second, base].find((entry) => entry && isSameRecord(entry.record, record)) ?? {
    record,
  };
  if (loser === undefined) return { made, losers: NONE };
  const version = ground.facts.version(loser.side, sides[loser.side] as MergeEntry);
  return { made, losers: [{ record: loser.record, version }] };
}

const NONE: readonly Loser[] = [];

function laterOf(first: MergeEntry, second: MergeEntry, ground: Ground): Later {
  let side: SideNumber | undefined;
  return () => (side ??= laterSide(ground.facts, first, second));
}

/** The newest version that a side made of any of its objects; undefined: no side changed it. */
export function versionOf(placed: Pick<Placed, 'objects'>, ground: Ground): Version | undefined {
  return latestOf(placed, ground, (entry, base) => entry.blob !== base?.blob || entry.path !== base.path);
}

/** The version that its content comes from; if no side made that, any. */
export function contentVersionOf(
  placed: Pick<Placed, 'objects' | 'entry'>,
  ground: Ground,
): Version | undefined {
  const { record } = placed.entry;
  const made = latestOf(
    placed,
    ground,
    (entry, base) =>
      isSameContent(entry.record, record) && (base === undefined || !isSameContent(base.record, record)),
  );
  return made ?? versionOf(placed, ground);
}

function latestOf(
  { objects }: Pick<Placed, 'objects'>,
  { facts }: Ground,
  counts: (entry: MergeEntry, base: MergeEntry | undefined) => boolean,
): Version | undefined {
  const versions = objects.flatMap(({ base, sides }) =>
    SIDES.flatMap((side) => {
      const entry = sides[side];
      return entry === undefined || !counts(entry, base) ? [] : [facts.version(side, entry)];
    }),
  );
  return latest(versions);
}
