import { compareNames, type EncodedName, joinPath, nameOf, parentOf, type RepoPath } from '../path.ts';
import type { FolderNode, FolderNodes } from './folder-nodes.ts';
import type { FolderPaths } from './folder-paths.ts';
import { type Ground, SIDES } from './ground.ts';
import type { MergeEntry, SideNumber } from './input.ts';
import type { MergeObject } from './objects.ts';
import { laterSide } from './versions.ts';

/** Where an object is: in a folder, whatever that is called, under a name. */
export interface Place {
  readonly parent: FolderNode;
  readonly name: EncodedName;
}

export interface ObjectPlaces {
  readonly base: Place | undefined;
  readonly sides: readonly [Place | undefined, Place | undefined];
}

export interface MergedPlace {
  readonly path: RepoPath;
  /** Both sides gave it another name or folder, each another one: the paths they wanted, sorted. */
  readonly wanted?: readonly RepoPath[];
}

export function placesOf(object: MergeObject, nodes: FolderNodes): ObjectPlaces {
  const base = object.base && {
    parent: nodes.inBase(parentOf(object.base.path)),
    name: nameOf(object.base.path),
  };
  const placeOn = (side: SideNumber): Place | undefined => {
    const entry = object.sides[side];
    if (entry === undefined) return undefined;
    return { parent: nodes.parentOnSide(side, parentOf(entry.path), base?.parent), name: nameOf(entry.path) };
  };
  return { base, sides: [placeOn(0), placeOn(1)] };
}

/** Whether a side moved or renamed the object itself: not if its folder was moved. */
export function isMovedOn(side: SideNumber, { base, sides }: ObjectPlaces): boolean {
  const place = sides[side];
  if (base === undefined || place === undefined) return false;
  return place.parent !== base.parent || place.name !== base.name;
}

/** Folder and name are merged each by itself; of two that both sides changed, the later version's is taken. */
export function mergePlaces(
  object: MergeObject,
  { base, sides }: ObjectPlaces,
  paths: FolderPaths,
  ground: Ground,
): MergedPlace {
  const [first, second] = sides;
  const one = first ?? second;
  if (one === undefined) throw new Error('an object that is nowhere has no place');
  if (first === undefined || second === undefined)
    return { path: joinPath(paths.pathOf(one.parent), one.name) };
  let later: SideNumber | undefined;
  const choose = <T>(before: T | undefined, a: T, b: T): T => {
    if (a === b || b === before) return a;
    if (a === before) return b;
    later ??= laterSide(ground.facts, object.sides[0] as MergeEntry, object.sides[1] as MergeEntry);
    return later === 0 ? a : b;
  };
  const parent = choose(base?.parent, first.parent, second.parent);
  const path = joinPath(paths.pathOf(parent), choose(base?.name, first.name, second.name));
  if (later === undefined) return { path };
  const wanted = SIDES.map((side) => {
    const place = sides[side] as Place;
    return joinPath(paths.pathOf(place.parent), place.name);
  });
  return wanted[0] === wanted[1] ? { path } : { path, wanted: wanted.sort(compareNames) };
}
