import {
  BkError,
  decodeName,
  hasOwnRecord,
  isWhollyAbsent,
  KIND,
  type KnownDirectory,
  nameOf,
  PROTECTION,
  parentOf,
  type RepoPath,
  ROOT,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import type { IndexDb } from '@bk/store';

/** Where a row has a name; -1: nowhere. Entry 0 (`.`) is the folder itself and never found. */
export function placeIn({ listing: { names } }: KnownDirectory, name: string): number {
  let low = 1;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (names[middle]! < name) low = middle + 1;
    else high = middle;
  }
  return low < names.length && names[low] === name ? low : -1;
}

/** Marks an entry of a row that nobody else has as not here: no stat vouches for it any more. */
export function markAbsent({ listing, protections }: KnownDirectory, k: number): void {
  protections[k] = PROTECTION.absent;
  const base = k * STAT_WIDTH;
  for (const column of [STAT.inode, STAT.ctime, STAT.birth, STAT.links]) listing.stats[base + column] = 0n;
  forgetListed(listing);
}

/** Nothing of a folder came to its place: neither what is in it nor, if it has one, its own record. */
export function markWhollyAbsent(known: KnownDirectory): void {
  for (let k = hasOwnRecord(known) ? 0 : 1; k < known.protections.length; k++) markAbsent(known, k);
}

/**
 * The rows of these paths, marked as not here, and all whose flags change thereby. The path of a folder stands for all
 * at and below it.
 * @param onMissing given each path that the head does not have; absent: that is an error
 */
export function rowsWithout(
  index: IndexDb,
  paths: readonly RepoPath[],
  onMissing: (path: RepoPath) => void = missing,
): Map<RepoPath, KnownDirectory> {
  const put = new Map<RepoPath, KnownDirectory>();
  for (const path of paths) {
    if ((put.get(path) ?? index.known(path)) !== undefined) markAllBelow(path, put, index);
    else if (!markFile(path, put, index)) onMissing(path);
  }
  for (const [path, known] of put) if (path !== ROOT) markEmptied(known);
  // A folder whose last sub-folder goes is left with nothing too, so its own record is looked at again from below.
  settleFlags(put, index, markEmptied);
  return put;
}

/** @returns false if there is no such file */
function markFile(path: RepoPath, put: Map<RepoPath, KnownDirectory>, index: IndexDb): boolean {
  const folder = parentOf(path);
  const known = path === ROOT ? undefined : (put.get(folder) ?? index.known(folder));
  const k = known === undefined ? -1 : placeIn(known, decodeName(nameOf(path)));
  if (known === undefined || k < 0 || known.listing.kinds[k] === KIND.dir) return false;
  if (known.protections[k] === PROTECTION.absent) return true;
  markAbsent(known, k);
  put.set(folder, known);
  return true;
}

function markAllBelow(path: RepoPath, put: Map<RepoPath, KnownDirectory>, index: IndexDb): void {
  for (const [folder, row] of index.below(path)) {
    const known = put.get(folder) ?? row;
    if (isWhollyAbsent(known)) continue;
    for (let k = hasOwnRecord(known) ? 0 : 1; k < known.protections.length; k++)
      if (known.protections[k] !== PROTECTION.absent) markAbsent(known, k);
    put.set(folder, known);
  }
}

/** A folder of which only its own record would be left is not here either. */
function markEmptied(known: KnownDirectory): void {
  const { protections } = known;
  if (!hasOwnRecord(known) || protections.length === 1 || protections[0] === PROTECTION.absent) return;
  for (let k = 1; k < protections.length; k++) if (protections[k] !== PROTECTION.absent) return;
  markAbsent(known, 0);
}

export function missing(path: RepoPath): never {
  throw new BkError('not-found', `cannot mark ${path}: the last commit has no such file`, { path });
}

function flag(known: KnownDirectory, k: number, absent: boolean): void {
  known.protections[k] = absent ? PROTECTION.absent : PROTECTION.none;
  forgetListed(known.listing);
}

/** The folder has to be listed again before its names are believed. */
export function forgetListed({ stats }: KnownDirectory['listing']): void {
  stats[STAT.ctime] = 0n;
}

/**
 * Makes the flags of sub-folders agree with the rows below them, for these rows and all above: a folder is absent in
 * its parent's row if nothing of it is here. Rows that change thereby join the others.
 * @param onAbsent given each row in which a sub-folder became absent
 */
export function settleFlags(
  put: Map<RepoPath, KnownDirectory>,
  index: IndexDb,
  onAbsent?: (row: KnownDirectory) => void,
): void {
  const levels: Set<RepoPath>[] = [];
  for (const path of put.keys()) levelOf(levels, depthOf(path)).add(path);
  for (let depth = levels.length - 1; depth > 0; depth--) {
    for (const path of levels[depth] ?? []) {
      const parent = parentOf(path);
      const row = put.get(parent) ?? index.known(parent);
      const k = row === undefined ? -1 : placeIn(row, decodeName(nameOf(path)));
      if (row === undefined || k < 0) continue;
      const absent = isWhollyAbsent(put.get(path)!);
      if ((row.protections[k] === PROTECTION.absent) === absent) continue;
      flag(row, k, absent);
      if (absent) onAbsent?.(row);
      put.set(parent, row);
      levelOf(levels, depth - 1).add(parent);
    }
  }
}

/** Folders that nothing came into are absent in their parents' rows, where all rows were made by themselves. */
export function settleAbsence(index: IndexDb): void {
  const put = new Map<RepoPath, KnownDirectory>();
  for (const [path, row] of index.below(ROOT)) if (isWhollyAbsent(row)) put.set(path, row);
  settleFlags(put, index);
  index.write({ put });
}

function levelOf(levels: Set<RepoPath>[], depth: number): Set<RepoPath> {
  const level = levels[depth] ?? new Set();
  levels[depth] = level;
  return level;
}

function depthOf(path: RepoPath): number {
  return path === ROOT ? 0 : path.split('/').length;
}
