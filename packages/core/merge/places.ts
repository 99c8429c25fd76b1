import { compareNames, type EncodedName, joinPath, nameOf, type RepoPath } from '../path.ts';
import type { FolderNode, FolderNodes } from './folder-nodes.ts';
import type { FolderPaths } from './folder-paths.ts';
import type { Ground } from './ground.ts';
import type { MergeEntry, SideNumber } from './input.ts';
import type { MergeObject } from './objects.ts';
import { parentReader } from './parent-reader.ts';
import { laterSide } from './versions.ts';

/** The folders an object is in, whatever they are called there. */
export interface Parents {
  readonly base: FolderNode | undefined;
  readonly sides: readonly [FolderNode | undefined, FolderNode | undefined];
}

export interface MergedPlace {
  readonly path: RepoPath;
  /** Both sides gave it another name or folder, each another one: the paths they wanted, sorted. */
  readonly wanted?: readonly RepoPath[];
}

/** Finds parents. Objects of one folder mostly come one after the other, and then nothing is looked up again. */
export function parentFinder(nodes: FolderNodes): (object: MergeObject) => Parents {
  const [inBase, onFirst, onSecond] = [parentReader(), parentReader(), parentReader()];
  let last: readonly [RepoPath | undefined, RepoPath | undefined, RepoPath | undefined] | undefined;
  let parents: Parents = { base: undefined, sides: [undefined, undefined] };
  return ({ base, sides: [first, second] }) => {
    const paths = [
      base && inBase(base.path),
      first && onFirst(first.path),
      second && onSecond(second.path),
    ] as const;
    if (last !== undefined && last[0] === paths[0] && last[1] === paths[1] && last[2] === paths[2])
      return parents;
    last = paths;
    const before = paths[0] === undefined ? undefined : nodes.inBase(paths[0]);
    const on = (side: SideNumber, path: RepoPath | undefined): FolderNode | undefined =>
      path === undefined ? undefined : nodes.objectParentOnSide(side, path, before);
    parents = { base: before, sides: [on(0, paths[1]), on(1, paths[2])] };
    return parents;
  };
}

/** Whether a side moved or renamed the object itself: not if its folder was moved. */
export function isMovedOn(side: SideNumber, { base, sides }: MergeObject, parents: Parents): boolean {
  const now = sides[side];
  if (base === undefined || now === undefined) return false;
  return parents.sides[side] !== parents.base || nameOf(now.path) !== nameOf(base.path);
}

/** Folder and name are merged each by itself; of two that both sides changed, the later version's is taken. */
export function mergePlaces(
  { base, sides: [first, second] }: MergeObject,
  parents: Parents,
  paths: FolderPaths,
  ground: Ground,
): MergedPlace {
  const [left, right] = parents.sides;
  const placeIn = (parent: FolderNode, name: EncodedName): RepoPath =>
    joinPath(parent === parents.base ? paths.objectsPathOf(parent) : paths.pathOf(parent), name);
  if (first === undefined || second === undefined || left === undefined || right === undefined) {
    const [entry, parent] = first === undefined ? [second, right] : [first, left];
    return { path: placeIn(parent as FolderNode, nameOf((entry as MergeEntry).path)) };
  }
  let later: SideNumber | undefined;
  const choose = <T>(before: T | undefined, a: T, b: T): T => {
    if (a === b || b === before) return a;
    if (a === before) return b;
    later ??= laterSide(ground.facts, first, second);
    return later === 0 ? a : b;
  };
  const name = choose(base && nameOf(base.path), nameOf(first.path), nameOf(second.path));
  const path = placeIn(choose(parents.base, left, right), name);
  if (later === undefined) return { path };
  const wanted = [placeIn(left, nameOf(first.path)), placeIn(right, nameOf(second.path))];
  return wanted[0] === wanted[1] ? { path } : { path, wanted: wanted.sort(compareNames) };
}
