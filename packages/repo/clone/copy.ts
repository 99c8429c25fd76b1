import fs from 'node:fs';
import {
  type ContentHash,
  decodePath,
  type FsName,
  type FsPath,
  type KnownDirectory,
  nameOf,
  type ObjectId,
  type PathProblem,
  PROTECTION,
  parentOf,
  type RepoPath,
  type Report,
  ROOT,
  STAT_WIDTH,
} from '@bk/core';
import type { Peer } from '@bk/remote';
import { decodeRow, encodeRow } from '@bk/store';
import { chmodStaged, linkStaged, makeStagedFolder, nodePath, putStat, removeStaged } from '@bk/worktree';
import type { Pool } from '../observe/pool.ts';
import { both } from './both.ts';
import { bringElsewhere } from './elsewhere.ts';
import { type CloneFile, type ClonePlaces, cannotHold, FileCloner, type Made } from './files.ts';
import { closeClone } from './folders.ts';
import type { FolderPart } from './selection.ts';
import type { CloneTotals } from './survey.ts';

export interface CopyOptions {
  readonly places: ClonePlaces;
  /** Git directory that holds the commit's trees and records. */
  readonly history: string;
  readonly parts: readonly FolderPart[];
  /** What is known to be missing already. */
  readonly missing: readonly PathProblem[];
  readonly peer: Peer;
  readonly pool: Pool;
  readonly report: Report;
  readonly totals: CloneTotals;
  /** Rows of the source's index, where it mirrors the commit. */
  readonly sourceRow?: (folder: RepoPath) => Uint8Array | undefined;
}

/** Contents in staging, and the index' rows of them. */
export interface Copied {
  /** Of every folder of the commit, once; not to be gone through twice. */
  readonly rows: (observedNs: bigint) => Iterable<readonly [RepoPath, KnownDirectory]>;
  readonly missing: readonly PathProblem[];
  /** Of folders at the top and the root, which get theirs once they are in place. */
  readonly modes: ReadonlyMap<RepoPath, number>;
  /** See SafetyNet.touched. */
  readonly touched: Uint8Array;
}

/** Folders in one task. */
const FOLDERS = 48;
/** Tasks made ahead for each thread: none waits, and rows of the source are held for few folders at a time. */
const LANES = 4;
/** Bytes and files in one task of single files. */
const BATCH_BYTES = 32 << 20;
const BATCH_FILES = 128;
/** Files of a source that cannot be opened here that are asked for at once: at first, and at most. */
const FIRST_WINDOW = 2_000;
const WINDOW = 50_000;
/** From here on threads pay. */
const MANY_FILES = 1_000;
const MANY_BYTES = 16 << 20;

/** Copies everything that is wanted into staging, each content verified. Nothing is durable yet. */
export async function copyContents(options: CopyOptions): Promise<Copied> {
  const copying = new Copying(options);
  try {
    await copying.run();
    return copying.result();
  } finally {
    closeClone();
  }
}

class Copying {
  readonly #options: CopyOptions;
  readonly #parts: FolderPart[];
  readonly #rows: Uint8Array[] = [];
  readonly #late: CloneFile[] = [];
  readonly #made = new Map<RepoPath, Map<FsName, Made>>();
  readonly #missing: PathProblem[];
  readonly #modes = new Map<RepoPath, number>();
  /** Folders whose stat changed after their row was made. */
  readonly #changed = new Set<RepoPath>();
  readonly #touched = new Uint8Array(256);
  /** Folders that this file system cannot hold, with the reason. */
  readonly #refused = new Map<RepoPath, string>();
  #files = 0;
  #bytes = 0;

  constructor(options: CopyOptions) {
    this.#options = options;
    this.#parts = [...options.parts];
    this.#missing = [...options.missing];
  }

  async run(): Promise<void> {
    const { pool, places, totals } = this.#options;
    if (totals.files > MANY_FILES || totals.bytes > MANY_BYTES) pool.start();
    pool.onProgress = (files, bytes) => this.#count(files, bytes);
    if (places.source === undefined) await this.#bringFolders();
    else {
      await this.#copyFolders(0, this.#parts.length);
      await this.#copyLate(takeSingle(this.#late));
    }
    const groups = linkGroups(this.#late);
    await this.#copyLate(groups.map(([first]) => first!));
    for (const group of groups) await this.#link(group);
    this.#giveModes();
  }

  /** Files that their folders did not bring: from their own paths, else from elsewhere. */
  async #copyLate(files: readonly CloneFile[]): Promise<void> {
    const failed = await this.#copyFiles(files.filter(({ reason }) => reason === undefined));
    await this.#bringElsewhere([...files.filter(({ reason }) => reason !== undefined), ...failed]);
  }

  /**
   * From a source whose files cannot be opened here: some folders are made, then what is in them comes while the next
   * ones are made. Few at first, so that something comes at once; never so many that they fill the memory.
   */
  async #bringFolders(): Promise<void> {
    const { files, folders } = this.#options.totals;
    const perFolder = Math.max(1, files / Math.max(1, folders));
    let bringing = Promise.resolve();
    for (let first = 0, most = FIRST_WINDOW; first < this.#parts.length; most = Math.min(most * 4, WINDOW)) {
      const end = Math.min(this.#parts.length, first + Math.max(1, Math.floor(most / perFolder)));
      await both(this.#copyFolders(first, end), bringing);
      bringing = this.#bringWindow(first, end, takeSingle(this.#late));
      first = end;
    }
    await bringing;
  }

  async #bringWindow(first: number, end: number, files: readonly CloneFile[]): Promise<void> {
    await this.#copyLate(files);
    for (let i = first; i < end; i++) {
      const { path } = this.#parts[i]!;
      const names = this.#made.get(path);
      if (names === undefined) continue;
      const row = decodeRow(this.#rows[i]!)!;
      patch(row, names);
      this.#rows[i] = encodeRow(row);
      this.#made.delete(path);
    }
  }

  result(): Copied {
    const byPath = (a: PathProblem, b: PathProblem) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
    return {
      rows: (observedNs) => this.#finishedRows(observedNs),
      missing: this.#missing.sort(byPath),
      modes: this.#modes,
      touched: this.#touched,
    };
  }

  #count(files: number, bytes: number): void {
    const { totals, report } = this.#options;
    this.#files += files;
    this.#bytes += bytes;
    report({
      phase: 'copy',
      files: Math.min(this.#files, totals.files),
      bytes: Math.min(this.#bytes, totals.bytes),
      totalFiles: totals.files,
      totalBytes: totals.bytes,
    });
  }

  /** One that this file system cannot hold is missing with all that is in it. Parts come after those they are in. */
  #makeFolders(first: number, end: number): void {
    const { places } = this.#options;
    const cloner = FileCloner.of(places);
    const narrow = (process.umask() & 0o755) !== 0;
    for (let i = first; i < end; i++) {
      const part = this.#parts[i]!;
      if (!part.made) continue;
      const why =
        this.#refused.get(parentOf(part.path)) ??
        makeFolder(cloner, part.path, { resumed: places.resumed, narrow });
      if (why === undefined || part.path === ROOT) continue;
      this.#refused.set(part.path, why);
      this.#missing.push({ path: part.path, reason: why });
      this.#parts[i] = { ...part, made: false, files: [], folders: [] };
    }
  }

  async #copyFolders(from: number, to: number): Promise<void> {
    let next = from;
    const lane = async (): Promise<void> => {
      while (next < to) {
        const first = next;
        next = Math.min(to, first + FOLDERS);
        await this.#copySome(first, next);
      }
    };
    await Promise.all(Array.from({ length: Math.max(1, this.#options.pool.threads * LANES) }, lane));
  }

  async #copySome(first: number, end: number): Promise<void> {
    const { pool, places, history, sourceRow } = this.#options;
    this.#makeFolders(first, end);
    const folders = this.#parts.slice(first, end);
    const sourceRows = sourceRow && folders.map(({ path }) => sourceRow(path));
    const task = { ...places, history, folders, ...(sourceRows && { sourceRows }) };
    const result = await pool.run('cloneFolders', task);
    result.rows.forEach((row, k) => {
      this.#rows[first + k] = row;
    });
    this.#late.push(...result.late);
    this.#missing.push(...result.missing);
    for (const [path, mode] of result.modes) this.#modes.set(path, mode);
    this.#touch(result.touched);
  }

  /** @returns those that could not be had */
  async #copyFiles(files: readonly CloneFile[]): Promise<CloneFile[]> {
    const { pool, places } = this.#options;
    const failed: CloneFile[] = [];
    const tasks = batchesOf(files).map(async (batch) => {
      const { made, touched } = await pool.run('cloneFiles', { ...places, files: batch });
      this.#touch(touched);
      made.forEach((one, i) => {
        if (typeof one === 'string') failed.push({ ...batch[i]!, reason: one });
        else this.#have(batch[i]!, one);
      });
    });
    await Promise.all(tasks);
    return failed;
  }

  async #bringElsewhere(files: readonly CloneFile[]): Promise<void> {
    if (files.length === 0) return;
    const { places, peer, pool } = this.#options;
    const cloner = new FileCloner({ ...places, source: undefined }, (bytes) =>
      this.#count(bytes === 0 ? 1 : 0, bytes),
    );
    const outcomes = await bringElsewhere(files, cloner, { peer, source: places.source, pool });
    for (const [file, outcome] of outcomes) {
      if (typeof outcome === 'string') this.#missing.push({ path: file.path, reason: outcome });
      else this.#have(file, outcome);
    }
    this.#touch(cloner.takeTouched());
  }

  /** Gives one file its other names. All of them have the stat that it has with the last of them. */
  async #link([first, ...others]: readonly CloneFile[]): Promise<void> {
    if (first === undefined || others.length === 0) return;
    const made = this.#made.get(parentOf(first.path))?.get(fsName(first.path));
    if (made === undefined) {
      // Its other names may have what its own has not.
      const failed = await this.#copyFiles(others.slice(0, 1));
      await this.#bringElsewhere(failed);
      await this.#link(others);
      return;
    }
    const unlinkable: CloneFile[] = [];
    const names = others.filter((other) => {
      const linked = this.#linkOne(first.path, other.path);
      if (!linked) unlinkable.push(other);
      return linked;
    });
    for (const file of [first, ...names]) this.#have(file, { ...made, stats: this.#statOf(file.path) });
    await this.#bringElsewhere(await this.#copyFiles(unlinkable));
  }

  /** @returns false where there are no hard links */
  #linkOne(from: RepoPath, to: RepoPath): boolean {
    const cloner = FileCloner.of(this.#options.places, (bytes) => this.#count(bytes === 0 ? 1 : 0, bytes));
    return inStaging(cloner, from, (source) =>
      inStaging(cloner, to, (at) => {
        if (this.#options.places.resumed) removeStaged(at);
        if (!linkStaged(source, at)) return false;
        cloner.counted(0);
        return true;
      }),
    );
  }

  #statOf(path: RepoPath): BigInt64Array {
    const stats = new BigInt64Array(STAT_WIDTH);
    inStaging(FileCloner.of(this.#options.places), path, (at) =>
      putStat(stats, 0, fs.lstatSync(nodePath(at), { bigint: true })),
    );
    return stats;
  }

  #have(file: CloneFile, made: Made): void {
    const folder = parentOf(file.path);
    const names = this.#made.get(folder);
    if (names === undefined) this.#made.set(folder, new Map([[fsName(file.path), made]]));
    else names.set(fsName(file.path), made);
    this.#changed.add(folder);
  }

  /** The deepest first: what is in a folder may not be reached any more. Those at the top are still to be renamed. */
  #giveModes(): void {
    const cloner = FileCloner.of(this.#options.places);
    const inner = [...this.#modes].filter(([path]) => path.includes('/'));
    for (const [path, mode] of inner.sort(([a], [b]) => b.split('/').length - a.split('/').length)) {
      this.#modes.delete(path);
      inStaging(cloner, path, (at) => chmodStaged(at, mode & 0o1777));
      this.#changed.add(path);
    }
  }

  *#finishedRows(observedNs: bigint): Generator<readonly [RepoPath, KnownDirectory]> {
    const cloner = new FileCloner(this.#options.places);
    const lacking = Map.groupBy(this.#refused.keys(), parentOf);
    for (const [i, { path }] of this.#parts.entries()) {
      const row = decodeRow(this.#rows[i]!)!;
      for (const folder of lacking.get(path) ?? [])
        row.protections[row.listing.names.indexOf(fsName(folder))] = PROTECTION.absent;
      const names = this.#made.get(path);
      if (names !== undefined) patch(row, names);
      if (this.#changed.has(path)) this.#relist(row, path, cloner);
      yield [path, { ...row, observedNs }];
    }
  }

  #relist(row: KnownDirectory, path: RepoPath, cloner: FileCloner): void {
    const stat = cloner.inFolder(decodePath(path), (at) =>
      fs.lstatSync(nodePath(`${at}.`), { bigint: true }),
    );
    putStat(row.listing.stats, 0, stat);
    row.listing.modes[0] = Number(stat.mode & 0o7777n);
  }

  #touch(touched: Uint8Array): void {
    touched.forEach((what, i) => {
      this.#touched[i]! |= what;
    });
  }
}

function makeFolder(
  cloner: FileCloner,
  path: RepoPath,
  { resumed, narrow }: { readonly resumed: boolean; readonly narrow: boolean },
): string | undefined {
  return inStaging(cloner, path, (at) => {
    try {
      makeStagedFolder(at);
    } catch (error) {
      const there = resumed || path === ROOT;
      if (!there || (error as NodeJS.ErrnoException).code !== 'EEXIST') return cannotHold(error);
      // An interrupted run may have given it a mode that nothing can be written with.
      chmodStaged(at, 0o755);
      return undefined;
    }
    if (narrow) chmodStaged(at, 0o755);
    return undefined;
  });
}

function inStaging<T>(cloner: FileCloner, path: RepoPath, work: (at: string) => T): T {
  if (path === ROOT) return cloner.inFolder('' as FsPath, work);
  return cloner.inFolder(decodePath(parentOf(path)), (at) => work(at + fsName(path)));
}

function fsName(path: RepoPath): FsName {
  return decodePath(nameOf(path) as string as RepoPath) as string as FsName;
}

function patch(row: KnownDirectory, names: ReadonlyMap<FsName, Made>): void {
  row.listing.names.forEach((name, k) => {
    const made = names.get(name as FsName);
    if (made === undefined || k === 0) return;
    row.listing.stats.set(made.stats, k * STAT_WIDTH);
    row.listing.modes[k] = made.mode;
    row.protections[k] = made.protection;
  });
}

/** Takes those out that have no other names. */
function takeSingle(late: CloneFile[]): CloneFile[] {
  const all = late.splice(0);
  late.push(...all.filter(({ linked }) => linked !== undefined));
  return all.filter(({ linked }) => linked === undefined);
}

/** Files that are one: in a definite order, the smallest path first. */
function linkGroups(late: readonly CloneFile[]): CloneFile[][] {
  const groups = new Map<`${ObjectId}${ContentHash}`, CloneFile[]>();
  for (const file of late) {
    if (file.linked === undefined) continue;
    const key = `${file.linked}${file.wanted.blake3}` as const;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [file]);
    else group.push(file);
  }
  return [...groups.values()].map((group) => group.sort((a, b) => (a.path < b.path ? -1 : 1)));
}

function batchesOf(files: readonly CloneFile[]): CloneFile[][] {
  const batches: CloneFile[][] = [];
  let batch: CloneFile[] = [];
  let bytes = 0;
  // The largest first: no thread is left with one at the end.
  for (const file of [...files].sort((a, b) => b.wanted.size - a.wanted.size)) {
    batch.push(file);
    bytes += file.wanted.size;
    if (bytes < BATCH_BYTES && batch.length < BATCH_FILES) continue;
    batches.push(batch);
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
