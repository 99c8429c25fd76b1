import {
  type ContentHash,
  type EncodedName,
  encodeName,
  type FsName,
  type FsPath,
  type GitId,
  type IdentifiedEntry,
  joinPath,
  KIND,
  type KnownDirectory,
  type Listing,
  type ObjectId,
  PROTECTION,
  type Protection,
  type RepoPath,
  type SeenEntry,
  STAT,
  STAT_WIDTH,
  type TrackedEntry,
  timeNs,
} from '@bk/core';

/** A directory whose listing is complete and differs from what the index knows of it. */
export interface Draft {
  readonly path: RepoPath;
  readonly place: FsPath;
  readonly listing: Listing;
  readonly known: KnownDirectory | undefined;
  /** For each entry seen: its place in `known`, or -1. */
  readonly knownPlace: Int32Array;
  readonly vouched: Uint8Array;
  /** 1: not tracked and not to be: ignored, a socket, another repository … */
  readonly excluded: Uint8Array;
  readonly observedNs: bigint;
  readonly mount: boolean;
  /** Every name in it could be looked at. */
  readonly readable: boolean;
}

/** A seen entry that still knows where it was seen, so that its columns can be filled in when it is recorded. */
export interface Found extends SeenEntry {
  readonly draft: Draft;
  readonly at: number;
}

/** The draft entry behind an identified one. */
export function foundOf(entry: IdentifiedEntry): Found {
  return entry.seen as Found;
}

/** A tracked entry as the index has it, with how its content is kept in the net and the names that its inode had (0: not known). */
export interface Located extends TrackedEntry {
  readonly protection: Protection;
  readonly links: number;
}

/** How the index says an object's content is kept in the net. */
export function protectionOf(tracked: TrackedEntry): Protection {
  const { protection } = tracked as Located;
  return protection === PROTECTION.absent ? PROTECTION.none : protection;
}

/** Whether a file's inode may have, or have had, other names in the tree: links beside its own and the net's, or not as many as before. */
export function namesMayDiffer(tracked: TrackedEntry, seen: Found): boolean {
  const { links, protection } = tracked as Located;
  return links !== seen.links || links > (protection === PROTECTION.link ? 2 : 1);
}

export function typeOf(kind: number): 'file' | 'symlink' | 'dir' | undefined {
  return kind === KIND.file
    ? 'file'
    : kind === KIND.symlink
      ? 'symlink'
      : kind === KIND.dir
        ? 'dir'
        : undefined;
}

/** Path of an entry of a directory; entry 0 is the directory itself. */
export function entryPath(path: RepoPath, listing: Listing, at: number): RepoPath {
  return at === 0 ? path : joinPath(path, encodeName(listing.names[at]! as FsName));
}

export function entryName(listing: Listing, at: number): EncodedName {
  return encodeName(listing.names[at]! as FsName);
}

export function foundEntry(draft: Draft, at: number): Found {
  const { listing } = draft;
  const stats = listing.stats;
  const base = at * STAT_WIDTH;
  return {
    draft,
    at,
    path: entryPath(draft.path, listing, at),
    type: typeOf(listing.kinds[at]!)!,
    size: Number(stats[base + STAT.size]),
    mtimeNs: timeNs(stats[base + STAT.mtime]!),
    ctimeNs: timeNs(stats[base + STAT.ctime]!),
    inode: stats[base + STAT.inode]!,
    birthNs: timeNs(stats[base + STAT.birth]!),
    links: Number(stats[base + STAT.links]),
    mode: listing.modes[at]!,
  };
}

/**
 * An object that the head has in a known directory; entry 0 only if the directory has a record of its own.
 * A racy one was written within the clock's grain before it was looked at, or has been set aside since.
 */
export function trackedEntry(path: RepoPath, known: KnownDirectory, at: number, grainNs = 0n): Located {
  const { listing } = known;
  const stats = listing.stats;
  const base = at * STAT_WIDTH;
  const type = typeOf(listing.kinds[at]!)!;
  const ctime = stats[base + STAT.ctime]!;
  const racy = type !== 'dir' && (ctime === 0n || ctime > known.observedNs - grainNs);
  const entry = {
    path: entryPath(path, listing, at),
    type,
    id: idAt(known, at),
    size: Number(stats[base + STAT.size]),
    mtimeNs: timeNs(stats[base + STAT.mtime]!),
    inode: stats[base + STAT.inode]!,
    birthNs: timeNs(stats[base + STAT.birth]!),
    mode: listing.modes[at]!,
    record: recordAt(known, at),
    protection: known.protections[at] as Protection,
    links: Number(stats[base + STAT.links]),
    ...(racy && { racy }),
    ...(known.protections[at] === PROTECTION.absent && { absent: true }),
  };
  // What the file system says of a folder's size and times means nothing.
  return type === 'dir' ? { ...entry, size: 0, mtimeNs: 0n } : { ...entry, blake3: hashAt(known, at) };
}

export function hashAt(known: Pick<KnownDirectory, 'hashes'>, at: number): ContentHash {
  return hex(known.hashes, at, 32) as ContentHash;
}

export function recordAt(known: Pick<KnownDirectory, 'records'>, at: number): GitId {
  return hex(known.records, at, 20) as GitId;
}

export function idAt(known: Pick<KnownDirectory, 'ids'>, at: number): ObjectId {
  const id = hex(known.ids, at, 16);
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}` as ObjectId;
}

function hex(column: Uint8Array, at: number, width: number): string {
  return Buffer.from(column.buffer, column.byteOffset + at * width, width).toString('hex');
}
