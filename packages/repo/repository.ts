import fs from 'node:fs';
import path from 'node:path';
import { BkError, type GitId, type RepoPath } from '@bk/core';
import {
  type Config,
  type DepartedRow,
  DOT_BK,
  HistoryReader,
  IndexDamaged,
  IndexDb,
  type Layout,
  type Lock,
  layoutOf,
  lock,
  readConfig,
  readRef,
  tryLock,
} from '@bk/store';
import { rebuildIndex } from './rebuild.ts';
import { replayJournal } from './replay.ts';

export const MAIN = 'refs/heads/main';
/** How long a reader waits for a writer that is just about to finish. */
const PATIENCE_MS = 1_500;

/** An opened repository. Parts that cost time are opened when first used. */
export class Repository {
  readonly layout: Layout;
  readonly config: Config;
  #history: HistoryReader | undefined;
  #index: IndexDb | undefined;
  #lock: Lock | undefined;
  #head: GitId | undefined | null = null;

  constructor(layout: Layout, config: Config) {
    this.layout = layout;
    this.config = config;
  }

  get history(): HistoryReader {
    this.#history ??= new HistoryReader(this.layout.history);
    return this.#history;
  }

  /** The commit of `main`; undefined before the first one. Read once, and again once this process may write. */
  get head(): GitId | undefined {
    if (this.#head === null) this.#head = readRef(this.layout.history, MAIN);
    return this.#head;
  }

  /** Whether this process may write. */
  get locked(): boolean {
    return this.#lock !== undefined;
  }

  /**
   * From now on this process is the only writer: what an interrupted command left is finished or undone first.
   * @throws BkError `locked`
   */
  beginWriting(waitMs?: number): void {
    if (this.#lock !== undefined) return;
    this.#lock = lock(this.layout.lock, waitMs);
    this.#settle();
  }

  /** As beginWriting, but says false instead of waiting for another writer. */
  tryWriting(): boolean {
    if (this.#lock !== undefined) return true;
    this.#lock = tryLock(this.layout.lock);
    if (this.#lock === undefined) return false;
    this.#settle();
    return true;
  }

  endWriting(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }

  /** The ref as it was just written by this process. */
  movedTo(head: GitId): void {
    this.#head = head;
  }

  /** The index, mirroring the head; rebuilt first if it is missing, damaged or of another commit. */
  get index(): IndexDb {
    this.#index ??= this.#openIndex();
    return this.#index;
  }

  /** Throws the index away and builds it again from the history. Only while writing. */
  reindex(onDirectory?: (path: RepoPath) => void): IndexDb {
    const departed = this.uncommitted();
    this.#index?.close();
    IndexDb.discard(this.layout.index);
    this.#index = IndexDb.open(this.layout.index);
    this.#index.write({ departed });
    rebuildIndex({
      index: this.#index,
      history: this.history,
      head: this.head,
      ...(onDirectory && { onDirectory }),
    });
    return this.#index;
  }

  /**
   * Versions that only the index knows, because no commit had them. One that cannot be read tells of none; the safety
   * net has their contents all the same.
   */
  uncommitted(): DepartedRow[] {
    if (!fs.existsSync(this.layout.index)) return [];
    try {
      const index = this.#index ?? IndexDb.open(this.layout.index);
      try {
        return index.departed.uncommitted();
      } finally {
        if (index !== this.#index) index.close();
      }
    } catch (error) {
      if (error instanceof BkError) return [];
      throw error;
    }
  }

  /** After the index turned out to be damaged: mends it from the history; where that cannot be written, in memory. */
  mendIndex(): void {
    this.#index?.close();
    this.#index = undefined;
    const mine = this.#lock === undefined ? this.#lockToMend() : undefined;
    try {
      this.#index =
        this.#lock === undefined && mine === undefined ? this.#memoryIndex() : this.#refreshIndex();
    } catch (error) {
      if (this.#lock !== undefined || !cannotWrite(error)) throw error;
      this.#index = this.#memoryIndex();
    } finally {
      mine?.release();
    }
  }

  /** For a reader: what writers did since. */
  reload(): void {
    this.#head = null;
    this.#history?.refresh();
    this.#index?.close();
    this.#index = undefined;
  }

  close(): void {
    this.#index?.close();
    this.#index = undefined;
    this.#history?.close();
    this.#history = undefined;
    this.endWriting();
  }

  /** What another process did since, and what a killed one left behind. */
  #settle(): void {
    this.reload();
    replayJournal(this.layout);
  }

  #openIndex(): IndexDb {
    const opened = this.#tryIndex();
    if (opened !== undefined) return opened;
    if (this.#lock !== undefined) return this.#refreshIndex();
    // A writer between its ref and its index is done in a moment; else this reader mends the index itself.
    const mine = this.#lockToMend();
    if (mine === undefined) return this.#memoryIndex();
    try {
      this.#head = null;
      this.#history?.refresh();
      return this.#tryIndex() ?? this.#refreshIndex();
    } catch (error) {
      if (cannotWrite(error)) return this.#memoryIndex();
      throw error;
    } finally {
      mine.release();
    }
  }

  #tryIndex(): IndexDb | undefined {
    if (!fs.existsSync(this.layout.index)) return undefined;
    try {
      const index = IndexDb.open(this.layout.index);
      if (index.head === this.head) return index;
      index.close();
      return undefined;
    } catch (error) {
      if (error instanceof IndexDamaged || (this.#lock === undefined && cannotWrite(error))) return undefined;
      throw error;
    }
  }

  /** Undefined: a writer is at work and stays, or nothing can be written here. */
  #lockToMend(): Lock | undefined {
    try {
      return tryLock(this.layout.lock, PATIENCE_MS);
    } catch (error) {
      if (cannotWrite(error)) return undefined;
      throw error;
    }
  }

  #refreshIndex(): IndexDb {
    if (this.head === undefined) return this.reindex();
    try {
      const index = IndexDb.open(this.layout.index);
      rebuildIndex({ index, history: this.history, head: this.head });
      return index;
    } catch (error) {
      if (!(error instanceof IndexDamaged)) throw error;
      return this.reindex();
    }
  }

  #memoryIndex(): IndexDb {
    const index = IndexDb.open(':memory:');
    rebuildIndex({ index, history: this.history, head: this.head });
    return index;
  }
}

/**
 * The repository that holds a folder: the folder itself or the nearest one above it that has a `.bk`.
 * @throws BkError `not-a-repository`, `damaged`
 */
export function openRepository(start: string): Repository {
  const root = findRoot(start);
  const layout = layoutOf(root);
  const config = readConfig(layout.config);
  if (config === undefined) {
    throw new BkError('not-a-repository', `cannot use ${layout.dot}: it was not finished`, {
      path: layout.dot,
      hint: `give \`bk init ${root}\` again`,
    });
  }
  const repository = new Repository(layout, config);
  // What a killed command left is finished by whoever comes next, if no writer is at work.
  if (hasLeftovers(layout)) finishLeftovers(repository);
  return repository;
}

function finishLeftovers(repository: Repository): void {
  try {
    if (repository.tryWriting()) repository.endWriting();
  } catch (error) {
    repository.close();
    if (!cannotWrite(error)) throw error;
  }
}

function hasLeftovers({ staging, journal }: Layout): boolean {
  return [staging, journal].some((folder) => fs.existsSync(folder) && fs.readdirSync(folder).length > 0);
}

function findRoot(start: string): string {
  const real = realFolder(start);
  for (let folder = real; ; folder = path.dirname(folder)) {
    if (fs.statSync(path.join(folder, DOT_BK), { throwIfNoEntry: false })?.isDirectory() === true)
      return folder;
    if (folder === path.dirname(folder)) break;
  }
  throw new BkError('not-a-repository', `no repository at ${start} or above it`, {
    path: start,
    hint: 'make one with `bk init`; if a disk should be mounted here, mount it first',
  });
}

function realFolder(start: string): string {
  try {
    return fs.realpathSync.native(start);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new BkError('not-found', `there is no folder ${start}`, { path: start });
  }
}

/** The file system is read-only, or not ours: a reader goes on without. */
export function cannotWrite(error: unknown): boolean {
  const codes = [error, (error as { cause?: unknown }).cause].map((each) =>
    String((each as NodeJS.ErrnoException | undefined)?.code),
  );
  return codes.some((code) =>
    /^(EROFS|EACCES|EPERM|SQLITE_READONLY.*|SQLITE_CANTOPEN.*|SQLITE_PERM)$/.test(code),
  );
}
