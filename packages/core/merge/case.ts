import { compareNames, joinPath, nameOf, parentOf, type RepoPath, ROOT } from '../path.ts';
import type { FolderNode, FolderNodes } from './folder-nodes.ts';
import { type Ground, SIDES } from './ground.ts';
import type { SideNumber } from './input.ts';
import { parentReader } from './parent-reader.ts';
import type { Placed } from './placed.ts';

/** Two or more names in one folder that differ only by letter case, and met in this merge. */
export interface CaseConflict {
  /** The greatest of them. */
  readonly path: RepoPath;
  /** The others, sorted. */
  readonly others: readonly RepoPath[];
}

/** Something of the merged tree: where it is, and where the sides have it. */
interface Named {
  readonly path: RepoPath;
  readonly on: readonly [RepoPath | undefined, RepoPath | undefined];
}

export interface KnownFolders {
  readonly nodes: FolderNodes;
  /** Folders of the merged tree and where they are. */
  readonly paths: Iterable<readonly [FolderNode, RepoPath]>;
}

/**
 * Names that a file system without letter case could not hold, unless a side has them already: then somebody wanted
 * it so.
 */
export function findCaseConflicts(
  files: readonly Placed[],
  { nodes, paths }: KnownFolders,
  ground: Ground,
): CaseConflict[] {
  const all = files.map(({ entry, objects }): Named => ({ path: entry.path, on: sidesOf(objects) }));
  for (const [folder, path] of paths)
    all.push({ path, on: [nodes.pathOn(0, folder), nodes.pathOn(1, folder)] });
  const besides = all.flatMap((one): Named[][] => {
    const untouched = untouchedSpellings(one, ground);
    return untouched.length === 0 ? [] : [[one, ...untouched]];
  });
  return [...groupsIn(all), ...besides].flatMap(conflictsIn);
}

function sidesOf(objects: Placed['objects']): Named['on'] {
  const [one] = objects;
  if (one !== undefined && objects.length === 1) return [one.sides[0]?.path, one.sides[1]?.path];
  const on = (side: SideNumber): RepoPath | undefined =>
    objects.find(({ sides }) => sides[side] !== undefined)?.sides[side]?.path;
  return [on(0), on(1)];
}

/**
 * Names of one folder that differ by case. Two that met are not both as one side has them, whichever side that is, so it
 * is enough to look at the folders of what is not as the one has it that has more of it.
 */
function groupsIn(all: readonly Named[]): Iterable<Named[]> {
  const [first, second] = SIDES.map((side) => all.filter(({ on }) => on[side] === undefined).length);
  const strangers = strangersTo((first ?? 0) <= (second ?? 0) ? 0 : 1, all);
  const folders = new Set(strangers.map(({ path }) => parentOf(path)));
  const groups = new Map<string, Named[]>();
  if (folders.size === 0) return [];
  const parent = parentReader();
  for (const one of all) {
    const folder = parent(one.path);
    if (!folders.has(folder)) continue;
    const key = `${folder}/${nameOf(one.path).toLowerCase()}`;
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [one]);
    else known.push(one);
  }
  return groups.values();
}

/** What a side does not have, or not under this name, or not beside the others that are in the folder now. */
function strangersTo(side: SideNumber, all: readonly Named[]): Named[] {
  const origins = new Map<RepoPath, RepoPath>();
  const [now, before] = [parentReader(), parentReader()];
  let last = { folder: ROOT, from: ROOT };
  return all.filter(({ path, on }) => {
    const old = on[side];
    if (old === undefined) return true;
    const folder = now(path);
    const from = path === old ? folder : before(old);
    if (folder !== last.folder || from !== last.from) {
      const origin = origins.get(folder) ?? from;
      origins.set(folder, origin);
      if (origin !== from) return true;
      last = { folder, from };
    }
    return path !== old && nameOf(path) !== nameOf(old);
  });
}

function conflictsIn(members: readonly Named[]): CaseConflict[] {
  const sorted = [...members].sort((a, b) => compareNames(a.path, b.path));
  return sorted.flatMap((one, i) => {
    const others = sorted.slice(0, i).filter((other) => isNew(other, one, sorted));
    if (others.length === 0) return [];
    return [{ path: one.path, others: [...new Set(others.map(({ path }) => path))] }];
  });
}

/** They are beside each other, and were so on no side; of folders that became one, each counts. */
function isNew(a: Named, b: Named, all: readonly Named[]): boolean {
  if (a.path === b.path || parentOf(a.path) !== parentOf(b.path)) return false;
  const [left, right] = [a, b].map(({ path }) => all.filter((one) => one.path === path));
  return !left?.some((x) => right?.some((y) => SIDES.some((side) => areBeside(x, y, side))));
}

function areBeside(a: Named, b: Named, side: SideNumber): boolean {
  const [x, y] = [a.on[side], b.on[side]];
  if (x === undefined || y === undefined || parentOf(x) !== parentOf(y)) return false;
  return nameOf(x) === nameOf(a.path) && nameOf(y) === nameOf(b.path);
}

/**
 * What all three trees have alike is asked for by name, so only the usual spellings are found. Needed where something
 * comes to a path that neither side has.
 */
function untouchedSpellings({ path, on }: Named, ground: Ground): Named[] {
  const folder = parentOf(path);
  if (on[0] === path || on[1] === path || !ground.holdsUntouched(folder)) return [];
  return spellings(nameOf(path)).flatMap((name) => {
    const other = joinPath(folder, name);
    const isThere = other !== path && (ground.isUntouched(other) || ground.holdsUntouched(other));
    return isThere ? [{ path: other, on: [other, other] }] : [];
  });
}

function spellings<T extends string>(name: T): T[] {
  const [lower, upper] = [name.toLowerCase(), name.toUpperCase()];
  const dot = name.lastIndexOf('.');
  const all = [lower, upper, `${upper.slice(0, 1)}${lower.slice(1)}`];
  if (dot > 0) all.push(upper.slice(0, dot) + lower.slice(dot), lower.slice(0, dot) + upper.slice(dot));
  return [...new Set(all)].filter((other) => other.toLowerCase() === lower) as T[];
}
