import fs from 'node:fs';
import {
  BkError,
  decodePath,
  type FsPath,
  type ObjectId,
  PROTECTION,
  type Protection,
  type RepoPath,
  STAT_WIDTH,
} from '@bk/core';
import { LIMITS } from '@bk/remote';
import { SafetyNet } from '@bk/store';
import {
  bytePath,
  Copier,
  copySymlink,
  KEEPS_NONE,
  nodePath,
  OTHER_CONTENT,
  putStat,
  reasonOf,
  removeStaged,
  TreeFs,
  type WantedFile,
  withHeldDirectory,
} from '@bk/worktree';

/** Where a clone copies from and to. */
export interface ClonePlaces {
  /** Of this run: what a thread keeps open is for it alone. */
  readonly key: string;
  /** Root of the files; undefined: they cannot be opened here. */
  readonly source: string | undefined;
  /** Folder of staging that mirrors the tree. Absolute. */
  readonly tree: string;
  readonly safety: string;
  readonly staging: string;
  /** An interrupted run may have left files in staging. */
  readonly resumed: boolean;
}

/** A file that is to be copied, by its record. */
export interface CloneFile {
  readonly path: RepoPath;
  readonly wanted: WantedFile;
  /** Files with the same are one file with several names. */
  readonly linked?: ObjectId;
  /** Why the file at its path was no help. */
  readonly reason?: string;
}

/** A file of staging as it is now. */
export interface Made {
  readonly stats: BigInt64Array;
  readonly mode: number;
  readonly protection: Protection;
}

/** Bytes of a file, its place in staging, and where its stat is to be told. */
interface Put {
  readonly at: string;
  readonly bytes: Uint8Array;
  readonly stats: BigInt64Array;
}

/** A file of staging that has its name in the net. */
interface Finished {
  readonly stat: fs.BigIntStats;
  readonly protection: Protection;
}

export interface CloneFilesTask extends ClonePlaces {
  readonly files: readonly CloneFile[];
}

export interface CloneFilesResult {
  /** Of each file: as it is now, or why it could not be had. */
  readonly made: readonly (Made | string)[];
  readonly touched: Uint8Array;
}

/** Larger contents are gone on with where an interrupted run was; others come anew. */
export const RESUMED_FROM = LIMITS.chunk;
export const NOT_HERE = 'its content cannot be had from there';
const LONG_PATH = 3_000;

/** Files whose bytes are here: those of each begin at its start, and one may serve several. */
export interface CloneBytesTask extends CloneFilesTask {
  readonly bytes: Uint8Array;
  readonly starts: readonly number[];
}

/** Copies single files into staging, in any folder. */
export function cloneFiles(task: CloneFilesTask, onBytes?: (bytes: number) => void): CloneFilesResult {
  const cloner = FileCloner.of(task, onBytes);
  const made = task.files.map((file) => cloner.inPlace(file, (at) => cloner.make(file, at)));
  return { made, touched: cloner.takeTouched() };
}

/** Writes single files into staging, each verified. */
export function cloneBytes(task: CloneBytesTask, onBytes?: (bytes: number) => void): CloneFilesResult {
  const cloner = FileCloner.of(task, onBytes);
  // One buffer for all: to hand over one for each file costs more than the file's own bytes.
  const all = new BigInt64Array(task.files.length * STAT_WIDTH);
  const made = task.files.map((file, i) => {
    const start = task.starts[i]!;
    const bytes = task.bytes.subarray(start, start + file.wanted.size);
    const stats = all.subarray(i * STAT_WIDTH, (i + 1) * STAT_WIDTH);
    return cloner.inPlace(file, (at) => cloner.put(file, { at, bytes, stats }));
  });
  return { made, touched: cloner.takeTouched() };
}

let current: FileCloner | undefined;

/** Brings one file after the other into staging and the net; one for each thread and clone. */
export class FileCloner {
  readonly places: ClonePlaces;
  readonly #source: TreeFs | undefined;
  readonly #net: SafetyNet;
  readonly #root: string;
  readonly copier: Copier;
  #onBytes: (bytes: number) => void;

  constructor(places: ClonePlaces, onBytes: (bytes: number) => void = () => {}) {
    this.#onBytes = onBytes;
    this.places = places;
    this.#source = places.source === undefined ? undefined : new TreeFs(places.source);
    this.#net = new SafetyNet(places);
    this.#root = bytePath(places.tree);
    this.copier = new Copier((bytes) => this.#onBytes(bytes));
  }

  static of(places: ClonePlaces, onBytes: (bytes: number) => void = () => {}): FileCloner {
    let cloner = current;
    if (cloner?.places.key !== places.key) {
      FileCloner.close();
      cloner = new FileCloner(places);
    }
    current = cloner;
    cloner.#onBytes = onBytes;
    return cloner;
  }

  static close(): void {
    const cloner = current;
    if (cloner !== undefined) cloner.#source?.close();
    current = undefined;
  }

  /** A file that came another way is counted too. @param bytes of it that were not told yet */
  counted(bytes: number): void {
    this.told(bytes);
    this.#onBytes(0);
  }

  /** Bytes of a file that is on its way. */
  told(bytes: number): void {
    if (bytes > 0) this.#onBytes(bytes);
  }

  /** What a thread touched of the net. */
  touch(touched: Uint8Array): void {
    touched.forEach((what, i) => {
      this.#net.touched[i]! |= what;
    });
  }

  takeTouched(): Uint8Array {
    const touched = this.#net.touched.slice();
    this.#net.touched.fill(0);
    return touched;
  }

  /** Calls `work` with the byte string that names of a folder of staging are appended to. */
  inFolder<T>(folder: FsPath, work: (at: string) => T): T {
    if (folder === '') return work(`${this.#root}/`);
    const place = `${this.#root}/${folder}/`;
    if (place.length < LONG_PATH) return work(place);
    return withHeldDirectory(this.#root, folder, (held) => work(`${held}/`));
  }

  /** Calls `work` with the byte string of a file's place in staging. */
  inPlace<T>(file: CloneFile, work: (at: string) => T): T {
    const whole = decodePath(file.path);
    const slash = whole.lastIndexOf('/');
    return this.inFolder(whole.slice(0, Math.max(0, slash)) as FsPath, (at) =>
      work(at + whole.slice(slash + 1)),
    );
  }

  /** Copies a file from its path in the source. @param at where to, in staging. @returns why it could not be had */
  make(file: CloneFile, at: string): Made | string {
    const { wanted } = file;
    if (this.places.resumed) {
      const there = this.#there(file, at);
      if (there !== undefined) return there;
    }
    if (this.#source === undefined && wanted.size > 0) return NOT_HERE;
    const from = wanted.size === 0 ? '' : this.#sourceOf(file.path);
    if (typeof from !== 'string') return from.reason;
    const finished = this.copyInto(from, at, wanted);
    return typeof finished === 'string' ? finished : madeOf(finished.stat, finished.protection);
  }

  /** Whether files come from the source's folder onto free names: nothing was left there by an interrupted run. */
  get copiesPlainly(): boolean {
    return this.#source !== undefined && !this.places.resumed;
  }

  /** What names in a folder of the source are appended to; or why it cannot be entered. */
  sourceFolder(folder: FsPath): string | { readonly reason: string } {
    if (this.#source === undefined) return { reason: NOT_HERE };
    try {
      return this.#source.openFolder(folder).prefix;
    } catch (error) {
      if (error instanceof BkError) return { reason: 'its folder belongs to another repository now' };
      return { reason: reasonOf(error) };
    }
  }

  /** Copies one file. @param from in the source; @param at where to, in staging. @returns why it could not be had */
  copyInto(from: string, at: string, wanted: WantedFile): Finished | string {
    const why = this.#created(() =>
      wanted.size === 0 ? this.copier.makeEmpty(at, wanted) : this.copier.copy(from, at, wanted),
    );
    return why ?? this.#protect(wanted, at, this.copier.inode);
  }

  link(target: string, at: string, mtimeNs: bigint): Made | string {
    if (this.places.resumed) removeStaged(at);
    try {
      copySymlink(target, at, mtimeNs);
    } catch (error) {
      const code = String((error as NodeJS.ErrnoException).code);
      if (KEEPS_NONE.has(code)) return 'the file system has no symbolic links';
      return cannotHold(error);
    }
    return madeOf(fs.lstatSync(nodePath(at), { bigint: true }), PROTECTION.none);
  }

  /** A file that is whole in staging: its content gets its name in the net. */
  finish({ wanted }: CloneFile, at: string): Made {
    const { ino } = fs.lstatSync(nodePath(at), { bigint: true });
    const { stat, protection } = this.#protect(wanted, at, ino);
    return madeOf(stat, protection);
  }

  #protect({ blake3, size }: WantedFile, at: string, inode: bigint): Finished {
    const protection = this.#net.protect(nodePath(at), { blake3, inode, size });
    // Looked at afterwards: a link more changes its ctime.
    return { stat: fs.lstatSync(nodePath(at), { bigint: true }), protection };
  }

  /** Writes a file whose bytes are here. @returns why it could not be had: it cannot be held, or OTHER_CONTENT */
  put(file: CloneFile, { at, bytes, stats }: Put): Made | string {
    if (this.places.resumed) removeStaged(at);
    const why = this.#created(() => (this.copier.put(bytes, at, file.wanted) ? undefined : OTHER_CONTENT));
    if (why !== undefined) return why;
    const { stat, protection } = this.#protect(file.wanted, at, this.copier.inode);
    return madeOf(stat, protection, stats);
  }

  /**
   * What an interrupted run left there: used if it is whole, else removed, its name in the net first. A part of a large
   * one that came from afar stays: it is gone on with.
   */
  #there(file: CloneFile, at: string): Made | undefined {
    const stat = fs.lstatSync(nodePath(at), { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.isFile() && this.copier.isWhole(at, file.wanted)) return this.finish(file, at);
    const { size } = file.wanted;
    if (this.#source === undefined && size > RESUMED_FROM && stat.isFile() && stat.size < size)
      return undefined;
    this.#net.unprotect({ blake3: file.wanted.blake3, inode: stat.ino, size: file.wanted.size });
    removeStaged(at);
    return undefined;
  }

  #sourceOf(file: RepoPath): string | { readonly reason: string } {
    const whole = decodePath(file);
    const slash = whole.lastIndexOf('/');
    const folder = this.sourceFolder(whole.slice(0, Math.max(0, slash)) as FsPath);
    return typeof folder === 'string' ? folder + whole.slice(slash + 1) : folder;
  }

  /** @returns why this file system cannot hold such a file, or what `create` returns */
  #created(create: () => string | undefined): string | undefined {
    try {
      return create() ?? undefined;
    } catch (error) {
      return cannotHold(error);
    }
  }
}

function madeOf(
  stat: fs.BigIntStats,
  protection: Protection,
  stats: BigInt64Array = new BigInt64Array(STAT_WIDTH),
): Made {
  putStat(stats, 0, stat);
  return { stats, mode: Number(stat.mode & 0o7777n), protection };
}

const CANNOT: Readonly<Record<string, string>> = {
  EINVAL: 'the file system cannot hold this name',
  EILSEQ: 'the file system cannot hold this name',
  ENAMETOOLONG: 'the file system cannot hold so long a name',
  EEXIST: 'the file system has another name that differs from it only by case',
  EFBIG: 'the file system cannot hold so large a file',
};

/** What a file system cannot hold is a result; everything else ends the command. @throws the error itself */
export function cannotHold(error: unknown): string {
  const reason = CANNOT[String((error as NodeJS.ErrnoException).code)];
  if (reason === undefined) throw error;
  return reason;
}
