/**
 * One directory as the file system showed it: columns, not objects, because a scan makes hundreds of thousands
 * of entries and hands them between threads (typed arrays are transferred, one joined string is cheap to copy).
 *
 * Names are byte strings (FsName): one char per byte as `readdir` gives them in latin1, so that any name survives.
 * Entries are sorted by name, bytewise.
 */
export const KIND = { file: 1, dir: 2, symlink: 3, other: 4 } as const;
export type KindCode = (typeof KIND)[keyof typeof KIND];

/** Columns of `stats`, in this order; times in ns since 1970, inode as a signed 64-bit view of the kernel's number. */
export const STAT = { inode: 0, size: 1, mtime: 2, ctime: 3, birth: 4, links: 5 } as const;
export const STAT_WIDTH = 6;

export interface Listing {
  readonly names: readonly string[];
  readonly kinds: Uint8Array;
  /** Permission bits, 0 to 0o7777. */
  readonly modes: Uint16Array;
  /** STAT_WIDTH numbers for each entry. */
  readonly stats: BigInt64Array;
}

export const EMPTY_LISTING: Listing = {
  names: [],
  kinds: new Uint8Array(0),
  modes: new Uint16Array(0),
  stats: new BigInt64Array(0),
};
