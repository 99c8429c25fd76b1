import fs from 'node:fs';
import {
  expectedNames,
  type FsPath,
  KIND,
  type KnownDirectory,
  type Listing,
  STAT,
  STAT_WIDTH,
  type Trust,
  timeNs,
  vouch,
} from '@bk/core';
import { LONG_PATH, withHeldDirectory } from './long-path.ts';
import { nodePath } from './node-path.ts';

/**
 * What a look at one directory gave. A failed one says nothing about what is in it: only a complete listing can
 * show that something is gone. `same`: the index vouches for every entry, so nothing but the sub-folders is told.
 */
export type DirectoryReport =
  | { readonly path: FsPath; readonly state: 'failed'; readonly reason: string }
  | { readonly path: FsPath; readonly state: 'same'; readonly folders: string; readonly entries: number }
  | {
      readonly path: FsPath;
      readonly state: 'differs';
      readonly listing: Listing;
      /** For each entry: its place in the known directory or -1; 1 if vouched for (see core's `vouch`). */
      readonly known: Int32Array;
      readonly vouched: Uint8Array;
      /** Names that are listed but cannot be looked at. */
      readonly unreadable: readonly { readonly name: string; readonly reason: string }[];
      readonly observedNs: bigint;
    };

export interface ScanTask {
  /** Absolute byte string of the root. */
  readonly root: string;
  readonly trust: Trust;
  readonly directories: readonly { readonly path: FsPath; readonly known: KnownDirectory | undefined }[];
}

/** Looks at some directories, each complete or failed. */
export function scanDirectories(task: ScanTask): DirectoryReport[] {
  return task.directories.map(({ path, known }) =>
    scanDirectory(task.root, path, { known, trust: task.trust }),
  );
}

interface Reference {
  readonly known: KnownDirectory | undefined;
  readonly trust: Trust;
}

export function scanDirectory(root: string, path: FsPath, reference: Reference): DirectoryReport {
  const place = path === '' ? root : `${root}/${path}`;
  try {
    if (place.length < LONG_PATH) return look(place, path, reference);
    return withHeldDirectory(root, path, (held) => look(held, path, reference));
  } catch (error) {
    return { path, state: 'failed', reason: reasonOf(error) };
  }
}

/** So often a directory is read that is written to meanwhile. */
const LOOKS = 3;

function look(place: string, path: FsPath, { known, trust }: Reference): DirectoryReport {
  let seen = lookOnce(place, known === undefined ? undefined : { known, trust });
  for (let n = 1; seen !== undefined && !seen.still && n < LOOKS; n++) seen = lookOnce(place);
  if (seen === undefined) return { path, state: 'failed', reason: 'not a folder any more' };
  if (seen.replaced) return { path, state: 'failed', reason: 'replaced while it was read' };
  const { listing, unreadable, observedNs } = seen;
  const compared = known === undefined ? undefined : vouch(listing, known, trust);
  if (compared?.same === true && unreadable.length === 0) {
    const folders = listing.names.filter((_, i) => i > 0 && listing.kinds[i] === KIND.dir).join('/');
    return { path, state: 'same', folders, entries: listing.names.length - 1 };
  }
  const count = listing.names.length;
  return {
    path,
    state: 'differs',
    listing,
    known: compared?.known ?? new Int32Array(count).fill(-1),
    vouched: compared?.vouched ?? new Uint8Array(count),
    unreadable,
    observedNs,
  };
}

interface Seen {
  readonly listing: Listing;
  readonly unreadable: readonly { readonly name: string; readonly reason: string }[];
  readonly observedNs: bigint;
  /** Nothing was made, removed or renamed in it meanwhile: a rename can hide a file from one pass over its folder. */
  readonly still: boolean;
  /** It is not the folder any more that it was at the beginning. */
  readonly replaced: boolean;
}

/**
 * @param reference its names are believed if nothing was made, removed or renamed in the folder since; only for a first look
 * @returns undefined if it is no folder
 */
function lookOnce(place: string, reference?: { known: KnownDirectory; trust: Trust }): Seen | undefined {
  const observedNs = BigInt(Date.now()) * 1_000_000n;
  const self = `${place}/.`;
  const before = fs.lstatSync(nodePath(place.startsWith('/proc/self/fd/') ? self : place), { bigint: true });
  if (!before.isDirectory()) return undefined;
  const names = namesUnchanged(before, reference) ?? listNames(place);
  const { listing, unreadable } = stat(place, names, before);
  const after = fs.lstatSync(nodePath(self), { bigint: true });
  const replaced =
    after.ino !== before.ino || after.dev !== before.dev || after.birthtimeNs !== before.birthtimeNs;
  const all = listing.names.length + unreadable.length === names.length + 1;
  const still = !replaced && all && after.ctimeNs === before.ctimeNs;
  return { listing, unreadable, observedNs, still, replaced };
}

/**
 * The names that the index knows, if its stat of the folder was taken when they were all that was in it and is still
 * the same: making, removing or renaming an entry changes a folder's change time. Not where times are coarse.
 */
function namesUnchanged(
  self: fs.BigIntStats,
  reference: { known: KnownDirectory; trust: Trust } | undefined,
): readonly string[] | undefined {
  if (reference === undefined || !reference.trust.stats || !reference.trust.inodes) return undefined;
  const { stats } = reference.known.listing;
  const settled = timeNs(stats[STAT.ctime]!) <= reference.known.observedNs - reference.trust.grainNs;
  const same =
    settled &&
    stats[STAT.ctime] !== 0n &&
    stats[STAT.ctime] === BigInt.asIntN(64, self.ctimeNs) &&
    stats[STAT.mtime] === BigInt.asIntN(64, self.mtimeNs) &&
    stats[STAT.inode] === BigInt.asIntN(64, self.ino) &&
    stats[STAT.birth] === BigInt.asIntN(64, self.birthtimeNs);
  return same ? expectedNames(reference.known) : undefined;
}

function listNames(place: string): readonly string[] {
  const names = fs.readdirSync(nodePath(place), 'latin1');
  return names.sort();
}

function stat(
  place: string,
  names: readonly string[],
  self: fs.BigIntStats,
): Pick<Seen, 'listing' | 'unreadable'> {
  const kept = ['.'];
  const kinds = new Uint8Array(names.length + 1);
  const modes = new Uint16Array(names.length + 1);
  const stats = new BigInt64Array((names.length + 1) * STAT_WIDTH);
  const unreadable: { name: string; reason: string }[] = [];
  put({ kinds, modes, stats }, 0, self);
  for (const name of names) {
    let entry: fs.BigIntStats | undefined;
    try {
      entry = fs.lstatSync(nodePath(`${place}/${name}`), { bigint: true, throwIfNoEntry: false });
    } catch (error) {
      unreadable.push({ name, reason: reasonOf(error) });
      continue;
    }
    if (entry === undefined) continue; // removed since the listing: not there
    put({ kinds, modes, stats }, kept.length, entry);
    kept.push(name);
  }
  const count = kept.length;
  const listing: Listing = {
    names: kept,
    kinds: kinds.subarray(0, count),
    modes: modes.subarray(0, count),
    stats: stats.subarray(0, count * STAT_WIDTH),
  };
  return { listing, unreadable };
}

const S_IFMT = 0o170000n;
const KINDS = new Map<bigint, number>([
  [0o100000n, KIND.file],
  [0o040000n, KIND.dir],
  [0o120000n, KIND.symlink],
]);

function put(columns: Omit<Listing, 'names'>, i: number, entry: fs.BigIntStats): void {
  const { kinds, modes, stats } = columns;
  kinds[i] = KINDS.get(entry.mode & S_IFMT) ?? KIND.other;
  modes[i] = Number(entry.mode & 0o7777n);
  putStat(stats, i, entry);
}

/** Writes the STAT columns of one entry. */
export function putStat(stats: BigInt64Array, i: number, entry: fs.BigIntStats): void {
  const at = i * STAT_WIDTH;
  stats[at + STAT.inode] = BigInt.asIntN(64, entry.ino);
  stats[at + STAT.size] = entry.size;
  stats[at + STAT.mtime] = entry.mtimeNs;
  stats[at + STAT.ctime] = entry.ctimeNs;
  stats[at + STAT.birth] = entry.birthtimeNs;
  stats[at + STAT.links] = entry.nlink;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOENT: 'not there any more',
  ENOTDIR: 'not a folder any more',
  ELOOP: 'replaced by a link',
  EISDIR: 'replaced by a folder',
  ESPIPE: 'not a file any more',
  ENXIO: 'not a file any more',
  EINVAL: 'not what it was any more',
  EIO: 'input/output error',
  ESTALE: 'stale file handle',
  ENAMETOOLONG: 'name too long',
  EMFILE: 'too many open files',
};

/** A file system error in a few words for people. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code === undefined ? undefined : REASONS[code]) ?? message ?? String(error);
}
