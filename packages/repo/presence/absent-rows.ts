import {
  decodeName,
  hasOwnRecord,
  isWhollyAbsent,
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

function levelOf(levels: Set<RepoPath>[], depth: number): Set<RepoPath> {
  const level = levels[depth] ?? new Set();
  levels[depth] = level;
  return level;
}

function depthOf(path: RepoPath): number {
  return path === ROOT ? 0 : path.split('/').length;
}
