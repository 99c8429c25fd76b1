import fs from 'node:fs';
import {
  type CardFile,
  type ContentHash,
  comparePaths,
  encodePath,
  type FsPath,
  GIT_ID_BYTES,
  type GitId,
  HASH_BYTES,
  ID_BYTES,
  KIND,
  type KnownDirectory,
  type Listing,
  type PathProblem,
  type RepoPath,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import { type CardCache, DOT_BK, decodeRow, layoutOf } from '@bk/store';
import { bytePath, type DirectoryReport, type ReadResult } from '@bk/worktree';
import type { Context } from '../context.ts';
import { hashAt } from '../observe/draft.ts';
import type { Ground } from '../observe/ground.ts';
import type { Pool } from '../observe/pool.ts';
import { batches } from '../safety/contents.ts';

/** A file or link on a card; its path is below the folder that was asked about. */
export interface FoundFile extends CardFile {
  readonly path: RepoPath;
  readonly place: FsPath;
  readonly type: 'file' | 'symlink';
  readonly mode: number;
  /** STAT_WIDTH columns, as they were when its content was read. */
  readonly stats: BigInt64Array;
}

export interface ScannedCard {
  /** In byte order of their paths; made as they are asked for. */
  readonly files: () => Generator<FoundFile>;
  /** Modes of folders. */
  readonly folders: ReadonlyMap<FsPath, number>;
  /** What could not be looked at or read: it may hold anything. */
  readonly unreadable: readonly PathProblem[];
  /** What was left out, and holds no data of the person's (sockets, devices, what bk keeps). */
  readonly skipped: readonly PathProblem[];
  /** Folders with a `.bk` in them. */
  readonly repositories: readonly FsPath[];
  /** Of files that were read now, not known from an earlier run. */
  readonly read: { readonly files: number; readonly bytes: number };
}

export interface CardOptions {
  /** Absolute, without symbolic links. */
  readonly root: string;
  readonly ground: Ground;
  /** What is known of an earlier run, with the folder's own path on the card. */
  readonly cache?: { readonly cards: CardCache; readonly place: FsPath } | undefined;
  readonly pool: Pool;
  readonly context: Context;
}

/** Looks at everything below a folder, whatever it is, and reads what is not known from an earlier run. */
export async function scanCard(options: CardOptions): Promise<ScannedCard> {
  const scan = new CardScan(options);
  await scan.look();
  await scan.read();
  return scan.result();
}

interface CardFolder {
  readonly place: FsPath;
  readonly listing: Listing;
  readonly hashes: Buffer;
  /** 1: the hash is known. */
  readonly hashed: Uint8Array;
  readonly observedNs: bigint;
  /** Entries that are still to be read. */
  left: number;
}

interface ToRead {
  readonly folder: CardFolder;
  readonly k: number;
  readonly size: number;
}

/** Folders looked at in one task. */
const BATCH = 48;
/** Entries after which threads pay. */
const MANY = 3_000;
const MANY_FOLDERS = 100;
const MUCH_BYTES = 32 << 20;
const KEEP_EVERY = 512;

class CardScan {
  readonly #options: CardOptions;
  readonly #pool: Pool;
  readonly #folders: CardFolder[] = [];
  readonly #toRead: ToRead[] = [];
  /** Further names of an inode that is read anyway. */
  readonly #twins: { readonly twin: ToRead; readonly first: ToRead }[] = [];
  readonly #inodes = new Map<bigint, ToRead>();
  readonly #keep: CardFolder[] = [];
  readonly #unreadable: PathProblem[] = [];
  readonly #skipped: PathProblem[] = [];
  readonly #repositories: FsPath[] = [];
  #entries = 0;
  #read = { files: 0, bytes: 0 };

  constructor(options: CardOptions) {
    this.#options = options;
    this.#pool = options.pool;
  }

  /** A breadth-first walk, many folders at a time. */
  async look(): Promise<void> {
    const queue: FsPath[] = ['' as FsPath];
    if ((this.#options.cache?.cards.folders ?? 0) > MANY_FOLDERS) this.#pool.start();
    const running = new Set<Promise<void>>();
    for (let next = 0; next < queue.length || running.size > 0; ) {
      while (next < queue.length && running.size < Math.max(1, this.#pool.threads * 3)) {
        const share = Math.ceil((queue.length - next) / Math.max(1, this.#pool.threads * 2));
        const batch = queue.slice(next, next + Math.min(BATCH, share));
        next += batch.length;
        const step: Promise<void> = this.#lookAt(batch, queue).finally(() => running.delete(step));
        running.add(step);
      }
      await Promise.race(running);
      if (this.#entries > MANY) this.#pool.start();
    }
  }

  /** Reads what is not known yet; hashes are kept as they are made. */
  async read(): Promise<void> {
    const { context, root } = this.#options;
    const totalBytes = this.#toRead.reduce((sum, { size }) => sum + size, 0);
    const totals = { totalFiles: this.#toRead.length, totalBytes };
    this.#read = { files: totals.totalFiles, bytes: totalBytes };
    if (this.#toRead.length > MANY || totalBytes > MUCH_BYTES) this.#pool.start();
    let files = 0;
    let bytes = 0;
    this.#pool.onProgress = (moreFiles, moreBytes) => {
      files += moreFiles;
      bytes += moreBytes;
      context.report({ phase: 'hash', files, bytes, ...totals });
    };
    await Promise.all(
      batches(this.#toRead).map(async (batch) => {
        const paths = batch.map(({ folder, k }) => placeIn(folder, k)).join('\0');
        const links = Uint8Array.from(batch, ({ folder, k }) =>
          folder.listing.kinds[k] === KIND.symlink ? 1 : 0,
        );
        const stats = new BigInt64Array(batch.length * STAT_WIDTH);
        batch.forEach(({ folder, k }, i) => void stats.set(statsIn(folder, k), i * STAT_WIDTH));
        this.#receiveHashes(
          batch,
          await this.#pool.run('read', { root: bytePath(root), paths, links, stats }),
        );
      }),
    );
    for (const { twin, first } of this.#twins) this.#settleTwin(twin, first);
    this.#flush();
  }

  result(): ScannedCard {
    const byPath = (a: PathProblem, b: PathProblem) => comparePaths(a.path, b.path);
    const folders = this.#folders;
    let sorted: readonly Located[] | undefined;
    return {
      files: () => {
        sorted ??= locate(folders);
        return filesOf(sorted);
      },
      folders: new Map(folders.map(({ place, listing }) => [place, listing.modes[0] ?? 0])),
      unreadable: this.#unreadable.sort(byPath),
      skipped: this.#skipped.sort(byPath),
      repositories: this.#repositories.sort(),
      read: this.#read,
    };
  }

  async #lookAt(batch: readonly FsPath[], queue: FsPath[]): Promise<void> {
    const { root, ground, cache, context } = this.#options;
    const rows = batch.map((place) => cache?.cards.row(placeOnCard(cache.place, place)));
    const directories = batch.map((path, i) => ({ path, row: rows[i] }));
    const reports = await this.#pool.run('look', { root: bytePath(root), trust: ground.trust, directories });
    for (const [i, report] of reports.entries()) this.#receive(report, rows[i], queue);
    context.report({ phase: 'scan', files: this.#entries, bytes: 0 });
  }

  #receive(report: DirectoryReport, row: Buffer | undefined, queue: FsPath[]): void {
    const place = report.path;
    if (report.state === 'failed') {
      this.#unreadable.push({ path: encodePath(place), reason: report.reason });
      return;
    }
    const known = row === undefined ? undefined : decodeRow(row);
    const folder = folderOf(report, known);
    this.#folders.push(folder);
    this.#entries += folder.listing.names.length - 1;
    const complete = report.state === 'same' || report.unreadable.length === 0;
    if (report.state === 'differs') {
      for (const { name, reason } of report.unreadable)
        this.#unreadable.push({ path: encodePath(below(place, name)), reason });
    }
    for (let k = 1; k < folder.listing.names.length; k++) this.#entry(folder, k, queue);
    // A name that could not be looked at must be listed again the next time.
    if (report.state === 'same' || !complete) folder.left = Number.NaN;
    else if (folder.left === 0) this.#keep.push(folder);
  }

  #entry(folder: CardFolder, k: number, queue: FsPath[]): void {
    const { listing, hashed } = folder;
    const place = placeIn(folder, k);
    const kind = listing.kinds[k];
    if (kind === KIND.dir) {
      if (listing.names[k] === DOT_BK && this.#isBks(folder.place)) {
        this.#repositories.push(folder.place);
        this.#skipped.push({ path: encodePath(place), reason: 'what bk keeps for the repository there' });
      } else queue.push(place);
    } else if (kind === KIND.other) {
      this.#skipped.push({ path: encodePath(place), reason: 'not a file, folder or link' });
    } else if (hashed[k] === 0) {
      const size = Number(listing.stats[k * STAT_WIDTH + STAT.size]);
      this.#wantRead({ folder, k, size });
    }
  }

  /** An inode with several names is read once; not where a number can mean two inodes. */
  #wantRead(one: ToRead): void {
    one.folder.left++;
    const stats = statsIn(one.folder, one.k);
    if (
      this.#options.ground.mounts.size > 0 ||
      (stats[STAT.links] ?? 1n) < 2n ||
      !this.#options.ground.trust.inodes
    ) {
      this.#toRead.push(one);
      return;
    }
    const inode = stats[STAT.inode]!;
    const first = this.#inodes.get(inode);
    if (first !== undefined) this.#twins.push({ twin: one, first });
    else {
      this.#inodes.set(inode, one);
      this.#toRead.push(one);
    }
  }

  /** A folder of that name that some other program made is data like any other. */
  #isBks(place: FsPath): boolean {
    const { config, history } = layoutOf(placeText(this.#options.root, place));
    return fs.existsSync(config) || fs.existsSync(history);
  }

  #receiveHashes(batch: readonly ToRead[], { hashes, failures }: ReadResult): void {
    const failed = new Map(failures);
    batch.forEach(({ folder, k }, i) => {
      const reason = failed.get(i);
      if (reason !== undefined) {
        this.#unreadable.push({ path: encodePath(placeIn(folder, k)), reason });
        folder.hashed[k] = 2;
      } else {
        folder.hashes.set(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES), k * HASH_BYTES);
        folder.hashed[k] = 1;
      }
      this.#done(folder);
    });
    if (this.#keep.length >= KEEP_EVERY) this.#flush();
  }

  #settleTwin(twin: ToRead, first: ToRead): void {
    const { folder, k } = twin;
    const known = first.folder.hashed[first.k] === 1;
    const same = statsIn(folder, k)[STAT.ctime] === statsIn(first.folder, first.k)[STAT.ctime];
    if (known && same) {
      folder.hashes.set(
        first.folder.hashes.subarray(first.k * HASH_BYTES, (first.k + 1) * HASH_BYTES),
        k * HASH_BYTES,
      );
      folder.hashed[k] = 1;
    } else {
      this.#unreadable.push({ path: encodePath(placeIn(folder, k)), reason: 'changing while it was read' });
      folder.hashed[k] = 2;
    }
    this.#done(folder);
  }

  #done(folder: CardFolder): void {
    if (--folder.left === 0) this.#keep.push(folder);
  }

  #flush(): void {
    const { cache } = this.#options;
    const folders = this.#keep.splice(0);
    cache?.cards.keep(
      folders.map((folder) => [placeOnCard(cache.place, folder.place), knownOf(folder)] as const),
    );
  }
}

function folderOf(
  report: Exclude<DirectoryReport, { state: 'failed' }>,
  known: KnownDirectory | undefined,
): CardFolder {
  if (report.state === 'same') {
    if (known === undefined) throw new TypeError('only a known folder can be the same');
    const hashed = new Uint8Array(known.listing.names.length).fill(1);
    return {
      place: report.path,
      listing: known.listing,
      hashes: bufferOf(known),
      hashed,
      observedNs: known.observedNs,
      left: 0,
    };
  }
  const { path: place, listing, observedNs, vouched, known: places } = report;
  const hashes = Buffer.alloc(listing.names.length * HASH_BYTES);
  const hashed = new Uint8Array(listing.names.length);
  if (known !== undefined) {
    const before = bufferOf(known);
    for (let i = 1; i < hashed.length; i++) {
      const k = places[i]!;
      if (k < 0 || vouched[i] !== 1 || listing.kinds[i] === KIND.dir) continue;
      before.copy(hashes, i * HASH_BYTES, k * HASH_BYTES, (k + 1) * HASH_BYTES);
      hashed[i] = 1;
    }
  }
  return { place, listing, hashes, hashed, observedNs, left: 0 };
}

/** What could not be read vouches for nothing the next time. */
function knownOf({ listing, hashes, hashed, observedNs }: CardFolder): KnownDirectory {
  const count = listing.names.length;
  const stats = listing.stats.slice();
  for (let k = 1; k < count; k++) if (hashed[k] === 2) stats[k * STAT_WIDTH + STAT.ctime] = 0n;
  return {
    tree: '0'.repeat(2 * GIT_ID_BYTES) as GitId,
    observedNs,
    mount: false,
    listing: { ...listing, stats },
    hashes,
    ids: new Uint8Array(count * ID_BYTES),
    records: new Uint8Array(count * GIT_ID_BYTES),
    protections: new Uint8Array(count),
  };
}

interface Located {
  readonly path: RepoPath;
  readonly folder: CardFolder;
  readonly k: number;
}

function locate(folders: readonly CardFolder[]): Located[] {
  const all: Located[] = [];
  for (const folder of folders)
    for (let k = 1; k < folder.listing.names.length; k++) {
      const kind = folder.listing.kinds[k];
      if ((kind === KIND.file || kind === KIND.symlink) && folder.hashed[k] === 1)
        all.push({ path: encodePath(placeIn(folder, k)), folder, k });
    }
  return all.sort((a, b) => comparePaths(a.path, b.path));
}

function* filesOf(all: readonly Located[]): Generator<FoundFile> {
  for (const { path, folder, k } of all) {
    const stats = statsIn(folder, k);
    yield {
      path,
      place: placeIn(folder, k),
      type: folder.listing.kinds[k] === KIND.symlink ? 'symlink' : 'file',
      blake3: hashAt(folder, k) as ContentHash,
      size: Number(stats[STAT.size]),
      mode: folder.listing.modes[k] ?? 0,
      stats,
    };
  }
}

function bufferOf({ hashes }: KnownDirectory): Buffer {
  return Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
}

function below(place: FsPath, name: string): FsPath {
  return (place === '' ? name : `${place}/${name}`) as FsPath;
}

function placeIn({ place, listing }: CardFolder, k: number): FsPath {
  return below(place, listing.names[k]!);
}

function statsIn({ listing }: CardFolder, k: number): BigInt64Array {
  return listing.stats.subarray(k * STAT_WIDTH, (k + 1) * STAT_WIDTH);
}

/** Where a folder is on its card. */
export function placeOnCard(top: FsPath, place: FsPath): FsPath {
  return place === '' ? top : top === '' ? place : (`${top}/${place}` as FsPath);
}

/** A folder below the root as Node takes it as text; names that are no text come out wrong, and are not there. */
export function placeText(root: string, place: FsPath): string {
  return place === '' ? root : `${root}/${Buffer.from(place, 'latin1').toString()}`;
}
