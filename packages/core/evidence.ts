import { type Criterion, pairAlike } from './alike.ts';
import type { Inode, SeenEntry, TrackedEntry } from './entry.ts';
import type { ContentHash } from './ids.ts';

/** A path that was known and is there, but not as the index last saw it: touched, edited, or another file now. */
export interface Occupied {
  readonly tracked: TrackedEntry;
  readonly seen: SeenEntry;
}

/** All that differs between the head and a complete scan. What sits unchanged at its own path is not mentioned. */
export interface Observed {
  /** Nothing is at their path. */
  readonly gone: readonly TrackedEntry[];
  readonly occupied: readonly Occupied[];
  /** At paths where the head has nothing. */
  readonly added: readonly SeenEntry[];
}

/** Why a seen entry is a known object; SPEC 2.2 names them, best first. */
export type Evidence =
  | 'same-path'
  | 'same-inode'
  | 'edited'
  | 'same-content'
  | 'moved-and-edited'
  | 'same-payload'
  | 'moved-folder';

export interface Match {
  readonly tracked: TrackedEntry;
  readonly seen: SeenEntry;
  readonly evidence: Evidence;
}

/** Where the matching stands. Every tracked entry is in `lost` or in one match, every seen one in `found` or in one. */
export interface Claims {
  readonly matches: Match[];
  lost: TrackedEntry[];
  found: SeenEntry[];
}

/** BLAKE3 of no bytes. */
export const EMPTY_CONTENT =
  'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262' as ContentHash;

type Entry = TrackedEntry | SeenEntry;
type Contained = Pick<Entry, 'type' | 'size' | 'blake3'>;

/** Folders have no content, and that of empty files is no evidence. */
export function hasContent(entry: Contained): boolean {
  return entry.type !== 'dir' && entry.size > 0;
}

/** The file system knows it by the same inode; two unknown ones are not the same. */
export function sameInode(a: Inode, b: Inode): boolean {
  return a.inode !== 0n && a.inode === b.inode && a.birthNs === b.birthNs;
}

/** Whether the file system can tell the inode from a later one of the same number: by its birth time. */
export function hasLastingInode(entry: Inode): boolean {
  return entry.inode !== 0n && entry.birthNs !== 0n;
}

export const SAME_CONTENT: Criterion<Entry> = {
  rough: (entry) => (hasContent(entry) ? entry.blake3 : undefined),
  same: (a, b) => a.type === b.type && a.blake3 === b.blake3,
};

export const SAME_INODE: Criterion<Entry> = {
  rough: (entry) => (hasLastingInode(entry) ? roughInode(entry) : undefined),
  same: (a, b) => a.type === b.type && sameInode(a, b),
};

/** With an equal content the inode counts even where there are no birth times. */
const SAME_INODE_AND_CONTENT: Criterion<Entry> = {
  rough: (entry) => {
    if (!hasContent(entry)) return SAME_INODE.rough(entry);
    if (entry.inode === 0n || entry.blake3 === undefined) return undefined;
    return roughInode(entry) + Number.parseInt(entry.blake3.slice(0, 8), 16);
  },
  same: (a, b) =>
    a.type === b.type &&
    sameInode(a, b) &&
    (hasContent(a) ? hasContent(b) && a.blake3 === b.blake3 : !hasContent(b)),
};

/** Mixes in the birth time, for file systems that give many files one inode number. */
export function roughInode({ inode, birthNs }: Inode): number {
  return low(inode) * 1_000_003 + low(birthNs);
}

/** The lowest 32 bits. */
export function low(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

/** Matches lost and found entries that the criterion calls one, the nearest paths first. */
export function claimBy(claims: Claims, evidence: Evidence, criterion: Criterion<Entry>): void {
  const { lost, found } = claims;
  const { foundOf, lostOf } = pairAlike(lost, found, criterion);
  for (const [i, tracked] of lost.entries()) {
    if (foundOf[i]! >= 0) claims.matches.push({ tracked, seen: found[foundOf[i]!]!, evidence });
  }
  claims.lost = lost.filter((_, i) => foundOf[i]! < 0);
  claims.found = found.filter((_, i) => lostOf[i]! < 0);
}

/**
 * The first three kinds of evidence, which tell what became of every path that is still occupied: same path and
 * content; same inode and content elsewhere; same path, other content. What has no content (folders, empty files)
 * stays at its path by inode before it moves by inode before it stays by path alone, so that swaps are seen there too.
 * A path whose type changed keeps nothing: its object is lost, what is there now is found. (Where the object is absent
 * by design the caller holds such a newcomer back.)
 */
export function claimByPlace(input: Observed): Claims {
  // What is not here by design did not leave: a file of its content elsewhere is a copy.
  const lost = input.gone.filter(({ absent }) => absent !== true);
  const claims: Claims = { matches: [], lost, found: [...input.added] };
  const open: Occupied[] = [];
  for (const pair of input.occupied) {
    // What is not here by design is never lost: whatever is seen at its path is a version of it.
    if (pair.tracked.absent === true)
      claims.matches.push({ ...pair, evidence: isSameVersion(pair) ? 'same-path' : 'edited' });
    else if (!isAtHome(pair)) open.push(pair);
    else claims.matches.push({ ...pair, evidence: 'same-path' });
  }
  const staying = claimMoves(claims, open);
  for (const { tracked, seen } of staying) {
    if (tracked.type !== seen.type) {
      claims.lost.push(tracked);
      claims.found.push(seen);
    } else {
      const contentless = !hasContent(tracked) && !hasContent(seen);
      claims.matches.push({ tracked, seen, evidence: contentless ? 'same-path' : 'edited' });
    }
  }
  return claims;
}

function isSameVersion({ tracked, seen }: Occupied): boolean {
  return hasContent(tracked) ? seen.blake3 === tracked.blake3 : !hasContent(seen);
}

function isAtHome({ tracked, seen }: Occupied): boolean {
  if (tracked.type !== seen.type) return false;
  if (hasContent(tracked)) return seen.blake3 !== undefined && seen.blake3 === tracked.blake3;
  return !hasContent(seen) && sameInode(tracked, seen);
}

/**
 * Matches by inode and content. An object whose own path still has its inode is not elsewhere: another name of that
 * inode is a hard link to it. Returns the pairs of which neither side was matched; halves of pairs join lost and found.
 */
function claimMoves(claims: Claims, open: readonly Occupied[]): Occupied[] {
  const staying = open.filter(({ tracked, seen }) => sameInode(tracked, seen));
  const movable = open.filter(({ tracked, seen }) => !sameInode(tracked, seen));
  const moves: Claims = {
    matches: claims.matches,
    lost: [...claims.lost, ...movable.map((pair) => pair.tracked)],
    found: [...claims.found, ...movable.map((pair) => pair.seen)],
  };
  claimBy(moves, 'same-inode', SAME_INODE_AND_CONTENT);
  const lost = new Set(moves.lost);
  const found = new Set(moves.found);
  for (const pair of movable) {
    if (!lost.has(pair.tracked) || !found.has(pair.seen)) continue;
    staying.push(pair);
    lost.delete(pair.tracked);
    found.delete(pair.seen);
  }
  claims.lost = [...lost];
  claims.found = [...found];
  return staying;
}
