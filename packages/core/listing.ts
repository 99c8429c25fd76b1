import type { GitId } from './ids.ts';

/**
 * One directory as the file system showed it: columns, not objects, because a scan makes hundreds of thousands
 * of entries and hands them between threads (typed arrays are cheap to copy, as is one joined string).
 *
 * Names are byte strings (FsName): one char per byte as `readdir` gives them in latin1, so that any name survives.
 * Entry 0 is the directory itself, named `.`; the others follow sorted by name, bytewise.
 */
export const KIND = { file: 1, dir: 2, symlink: 3, other: 4 } as const;

/**
 * Columns of `stats`, in this order; times in ns since 1970, inode as a signed 64-bit view of the kernel's number.
 * Times wrap after 2262: `timeNs` reads them as years 1891 to 2475, which holds all that ext4 and XFS can keep.
 */
export const STAT = { inode: 0, size: 1, mtime: 2, ctime: 3, birth: 4, links: 5 } as const;
export const STAT_WIDTH = 6;

const EARLIEST_NS = -2_500_000_000_000_000_000n;

/** A time column as the time it stands for, in ns since 1970. */
export function timeNs(column: bigint): bigint {
  return column < EARLIEST_NS ? column + (1n << 64n) : column;
}

export interface Listing {
  readonly names: readonly string[];
  readonly kinds: Uint8Array;
  /** Permission bits, 0 to 0o7777. */
  readonly modes: Uint16Array;
  /** STAT_WIDTH numbers for each entry. */
  readonly stats: BigInt64Array;
}

/** Widths in bytes of the columns of a KnownDirectory. */
export const HASH_BYTES = 32;
export const ID_BYTES = 16;
export const GIT_ID_BYTES = 20;

/**
 * How an entry's content is kept in the safety net. `absent`: the head has the entry, but by design it is not on this
 * disk (outside the subset, or dropped): its absence is no deletion. Of a sub-folder: nothing below it is here; of
 * entry 0: the folder's own record is not here either.
 */
export const PROTECTION = { none: 0, link: 1, reflink: 2, copy: 3, absent: 4 } as const;
export type Protection = (typeof PROTECTION)[keyof typeof PROTECTION];

/**
 * What the index knows of a directory: exactly the entries that the head's tree has there (files, symlinks,
 * sub-folders), each with the stat under which its content was last seen (all zero: never, so nothing is vouched for).
 * The record columns of entry 0 are the folder's own record (`.bkdir`), zero if it has none; sub-folders have none here.
 */
export interface KnownDirectory {
  /** The tree of the history that this mirrors. */
  readonly tree: GitId;
  /** When its entries were looked at (ns since 1970): what changed within the clock's grain before is *racy*. */
  readonly observedNs: bigint;
  /** A file system was mounted here: if none is now, its contents are offline, not deleted. */
  readonly mount: boolean;
  readonly listing: Listing;
  readonly hashes: Uint8Array;
  readonly ids: Uint8Array;
  readonly records: Uint8Array;
  readonly protections: Uint8Array;
}

/** How far the evidence of a stat reaches on a file system. */
export interface Trust {
  /** False: believe no stat, everything is to be read again. */
  readonly stats: boolean;
  /** Inode numbers and birth times survive a re-mount. */
  readonly inodes: boolean;
  /** The coarsest step of its clock, in ns. */
  readonly grainNs: bigint;
}

/** What a comparison of a directory with the index found. */
export interface Vouching {
  /** For each entry seen: its place in the known directory, or -1. */
  readonly known: Int32Array;
  /** For each entry seen: 1 if the index vouches for its content and metadata. */
  readonly vouched: Uint8Array;
  /** All entries are vouched for and none is missing that is not absent by design. */
  readonly same: boolean;
}

/** Whether any entry of a known directory is absent by design; costs one look at a short column. */
export function hasAbsent({ protections }: Pick<KnownDirectory, 'protections'>): boolean {
  return protections.includes(PROTECTION.absent);
}

/** Whether nothing of a known directory is here: it has entries, or a record of its own, and all are absent by design. */
export function isWhollyAbsent(known: KnownDirectory): boolean {
  const { protections } = known;
  const own = hasOwnRecord(known);
  for (let k = own ? 0 : 1; k < protections.length; k++)
    if (protections[k] !== PROTECTION.absent) return false;
  return own || protections.length > 1;
}

/** Whether the directory has a record of its own (`.bkdir`). */
export function hasOwnRecord({ records }: Pick<KnownDirectory, 'records'>): boolean {
  for (let i = 0; i < GIT_ID_BYTES; i++) if (records[i] !== 0) return true;
  return false;
}

/** Names that are expected in a known directory: all that the head has there but those that are absent by design. */
export function expectedNames({ listing, protections }: KnownDirectory): readonly string[] {
  if (!protections.includes(PROTECTION.absent)) return listing.names.slice(1);
  return listing.names.filter((_, k) => k > 0 && protections[k] !== PROTECTION.absent);
}

/**
 * Compares a directory as seen with what the index knows, in one pass over both (sorted) lists of names.
 * A folder's entry is vouched for by its kind alone (its own listing is compared on its own), the folder itself by its mode.
 * A file that is absent by design and is here all the same is not vouched for; an absent folder that is here is, as any
 * folder. Where the folder's own record is absent, it is the recorded mode that is news.
 */
export function vouch(seen: Listing, known: KnownDirectory, trust: Trust): Vouching {
  const count = seen.names.length;
  const place = new Int32Array(count).fill(-1);
  const vouched = new Uint8Array(count);
  const theirs = known.listing;
  const racyFrom = known.observedNs - trust.grainNs;
  const some = hasAbsent(known);
  let expected = some ? 1 + expectedNames(known).length : theirs.names.length;
  let same = true;
  for (let i = 0, k = 0; i < count; i++) {
    const name = seen.names[i]!;
    if (i > 0) while (k < theirs.names.length && (k === 0 || theirs.names[k]! < name)) k++;
    if (k >= theirs.names.length || theirs.names[k] !== name) {
      same = false;
      continue;
    }
    place[i] = k;
    const absent = some && known.protections[k] === PROTECTION.absent;
    if (!absent || i === 0) expected--;
    const settled = timeNs(seen.stats[i * STAT_WIDTH + STAT.ctime]!) <= racyFrom;
    if (trust.stats && settled && unchanged(seen, i, theirs, k, trust.inodes) && !absent) vouched[i] = 1;
    else if (seen.kinds[i] === KIND.dir && sameFolder(seen, i, theirs, k) !== (absent && i === 0))
      vouched[i] = 1;
    else same = false;
  }
  return { known: place, vouched, same: same && expected === 0 };
}

function sameFolder(seen: Listing, i: number, known: Listing, k: number): boolean {
  return known.kinds[k] === KIND.dir && (i > 0 || seen.modes[i] === known.modes[k]);
}

function unchanged(seen: Listing, i: number, known: Listing, k: number, inodes: boolean): boolean {
  if (seen.kinds[i] !== known.kinds[k] || seen.modes[i] !== known.modes[k] || seen.kinds[i] === KIND.dir)
    return false;
  const a = seen.stats;
  const b = known.stats;
  const x = i * STAT_WIDTH;
  const y = k * STAT_WIDTH;
  return (
    a[x + STAT.size] === b[y + STAT.size] &&
    a[x + STAT.mtime] === b[y + STAT.mtime] &&
    a[x + STAT.ctime] === b[y + STAT.ctime] &&
    b[y + STAT.ctime] !== 0n &&
    (!inodes || (a[x + STAT.inode] === b[y + STAT.inode] && a[x + STAT.birth] === b[y + STAT.birth]))
  );
}
