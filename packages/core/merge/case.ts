import { compareNames, joinPath, nameOf, parentOf, type RepoPath } from '../path.ts';
import type { FolderNode, FolderNodes } from './folder-nodes.ts';
import { type Ground, SIDES } from './ground.ts';
import type { SideNumber } from './input.ts';
import type { Placed } from './placed.ts';

/** Two or more names in one folder that differ only by letter case, and met in this merge. */
export interface CaseConflict {
  /** The greatest of them. */
  readonly path: RepoPath;
  /** The others, sorted. */
  readonly others: readonly RepoPath[];
}

/** Something of the merged tree: where it is, and where a side has it. */
interface Named {
  readonly path: RepoPath;
  readonly on: (side: SideNumber) => RepoPath | undefined;
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
  const groups = new Map<string, Named | Named[]>();
  for (const { entry, objects } of files) {
    addNamed(groups, {
      path: entry.path,
      on: (side) => objects.find(({ sides }) => sides[side] !== undefined)?.sides[side]?.path,
    });
  }
  for (const [folder, path] of paths) addNamed(groups, { path, on: (side) => nodes.pathOn(side, folder) });
  const conflicts: CaseConflict[] = [];
  for (const group of groups.values()) {
    const members = Array.isArray(group) ? group : [group];
    const untouched = members.flatMap((one) => untouchedSpellings(one, ground));
    if (members.length + untouched.length > 1) conflicts.push(...conflictsIn([...members, ...untouched]));
  }
  return conflicts;
}

function addNamed(groups: Map<string, Named | Named[]>, item: Named): void {
  const key = item.path.toLowerCase();
  const known = groups.get(key);
  if (known === undefined) groups.set(key, item);
  else if (Array.isArray(known)) known.push(item);
  else groups.set(key, [known, item]);
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
  const [x, y] = [a.on(side), b.on(side)];
  if (x === undefined || y === undefined || parentOf(x) !== parentOf(y)) return false;
  return nameOf(x) === nameOf(a.path) && nameOf(y) === nameOf(b.path);
}

/**
 * What all three trees have alike is asked for by name, so only the usual spellings are found. Needed where something
 * comes to a path that neither side has.
 */
function untouchedSpellings({ path, on }: Named, ground: Ground): Named[] {
  const folder = parentOf(path);
  if (SIDES.some((side) => on(side) === path) || !ground.holdsUntouched(folder)) return [];
  return spellings(nameOf(path)).flatMap((name) => {
    const other = joinPath(folder, name);
    const isThere = other !== path && (ground.isUntouched(other) || ground.holdsUntouched(other));
    return isThere ? [{ path: other, on: () => other }] : [];
  });
}

function spellings<T extends string>(name: T): T[] {
  const [lower, upper] = [name.toLowerCase(), name.toUpperCase()];
  const dot = name.lastIndexOf('.');
  const all = [lower, upper, `${upper.slice(0, 1)}${lower.slice(1)}`];
  if (dot > 0) all.push(upper.slice(0, dot) + lower.slice(dot), lower.slice(0, dot) + upper.slice(dot));
  return [...new Set(all)].filter((other) => other.toLowerCase() === lower) as T[];
}
