import fs from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { BkError, type GitId, presenceRef, type RepoPath } from '@bk/core';
import {
  type Config,
  type DepartedRow,
  DOT_BK,
  forgetLeases,
  HistoryReader,
  hasCloneState,
  IndexDamaged,
  IndexDb,
  type Layout,
  type Lock,
  layoutOf,
  lock,
  readConfig,
  readRef,
  tryLock,
  writeConfig,
} from '@bk/store';
import { absentRecords, type RebuildOptions, rebuildIndex } from './index/rebuild.ts';
import { separated } from './peers/copied.ts';
import { isCopied, volumeFacts, volumeFactsAgain } from './peers/volume.ts';
import { rowsWithout } from './presence/absent-rows.ts';
import { ownPresence, type Presence } from './presence/read-presence.ts';
import { replayJournal } from './safety/replay.ts';

export const MAIN = 'refs/heads/main';
/** How long a reader waits for a writer that is just about to finish. */
const PATIENCE_MS = 1_500;

/** An opened repository. Parts that cost time are opened when first used. */
export class Repository {
  readonly layout: Layout;
  #config: Config;
  /** Changes of the config that wait until this process may write. */
  #edits: ((config: Config) => Config)[] = [];
  #isCopy: boolean;
  #notice: string | undefined;
  #history: HistoryReader | undefined;
  #index: IndexDb | undefined;
  #lock: Lock | undefined;
  #head: GitId | undefined | null = null;

  readonly #mayMend: boolean;

  /** @param mayMend false: an index that is missing or out of date is made in memory, so that no lock is ever taken */
  constructor(layout: Layout, config: Config, { mayMend = true }: { readonly mayMend?: boolean } = {}) {
    this.layout = layout;
    this.#mayMend = mayMend;
    this.#config = config;
    this.#isCopy = isCopied(layout.root, config.volume, false);
  }

  /** As it was when the repository was opened, or as it is once this process may write. */
  get config(): Config {
    return this.#config;
  }

  /** A copied `.bk` that could not be given its own id yet (SPEC 5): it can be read, nothing is promised in its name. */
  get isCopy(): boolean {
    return this.#isCopy;
  }

  /** Something that the person should be told once. */
  get notice(): string | undefined {
    return this.#notice;
  }

  /** Changes config.json, whole and durable: at once if this process may write, else as soon as it may. */
  reconfigure(edit: (config: Config) => Config): void {
    if (this.#lock === undefined) this.#edits.push(edit);
    else this.#writeConfig(edit(this.#config));
  }

  /** Before it serves others: a copy becomes a repository of its own, if it can be written and nobody else is writing. */
  becomeItself(): void {
    if (this.#lock !== undefined) return;
    this.#isCopy ||= isCopied(this.layout.root, this.#config.volume, true);
    if (!this.#isCopy) return;
    try {
      if (this.tryWriting()) this.endWriting();
    } catch (error) {
      if (!cannotWrite(error)) throw error;
    }
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
    const absent = this.#ofOldIndex(absentRecords);
    this.#index?.close();
    IndexDb.discard(this.layout.index);
    this.#index = IndexDb.open(this.layout.index);
    this.#index.write({ departed });
    rebuildIndex({
      index: this.#index,
      ...this.#sources(),
      ...(absent && { absent }),
      ...(onDirectory && { onDirectory }),
    });
    return this.#index;
  }

  /**
   * Versions that only the index knows, because no commit had them. One that cannot be read tells of none; the safety
   * net has their contents all the same.
   */
  uncommitted(): DepartedRow[] {
    return this.#ofOldIndex((index) => index.departed.uncommitted()) ?? [];
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
    try {
      this.reload();
      this.#config = readConfig(this.layout.config) ?? this.#config;
      replayJournal(this.layout, (paths) => this.#without(paths));
      this.#settleIdentity();
      for (const edit of this.#edits.splice(0)) this.reconfigure(edit);
    } catch (error) {
      this.endWriting();
      throw error;
    }
  }

  /** What could not be brought to its place is not here: no file of the head is taken for deleted on that account. */
  #without(paths: readonly RepoPath[]): void {
    this.reload();
    // The head may be elsewhere by now.
    const put = rowsWithout(this.index, paths, () => {});
    if (put.size > 0) this.index.write({ put });
  }

  /** Who it is and where: a copy gets its own id before anything is written in its name. */
  #settleIdentity(): void {
    const { root } = this.layout;
    const { volume } = this.#config;
    if (isCopied(root, volume, true)) {
      // Under the old id still, which the presence has that tells what is not here by design; the stats in the index
      // are of other files.
      // What the original let go of came here with the copy.
      this.reindex().departed.becomeArrivals();
      forgetLeases(this.layout);
      const { config, notice } = separated(this.layout, this.#config);
      this.#writeConfig(config);
      this.#notice = notice;
    } else {
      const facts = volume === undefined ? volumeFacts(root) : volumeFactsAgain(root, volume);
      this.#writeConfig({ ...this.#config, volume: facts });
    }
    this.#isCopy = false;
  }

  /** What it said of itself last. A copy has the original's word for what is not here, until it has said something itself. */
  #lastPresence(): Presence | undefined {
    const { id, copyOf = id } = this.#config;
    const of = (one: string) =>
      ownPresence({ layout: this.layout, history: this.history, config: { id: one } });
    return of(id) ?? of(copyOf);
  }

  #writeConfig(config: Config): void {
    if (!isDeepStrictEqual(config, this.#config)) writeConfig(this.layout.config, config);
    this.#config = config;
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
      if (index.head === this.head && index.presence === this.#presence()) return index;
      index.close();
      return undefined;
    } catch (error) {
      if (error instanceof IndexDamaged || (this.#lock === undefined && cannotWrite(error))) return undefined;
      throw error;
    }
  }

  /** What the index as it lies there says, whatever it mirrors; undefined: it is not there or cannot be read. */
  #ofOldIndex<T>(ask: (index: IndexDb) => T): T | undefined {
    if (!fs.existsSync(this.layout.index)) return undefined;
    try {
      const index = this.#index ?? IndexDb.open(this.layout.index);
      try {
        return ask(index);
      } finally {
        if (index !== this.#index) index.close();
      }
    } catch (error) {
      if (error instanceof BkError) return undefined;
      throw error;
    }
  }

  /** Undefined: a writer is at work and stays, or nothing can or may be written here. */
  #lockToMend(): Lock | undefined {
    if (!this.#mayMend) return undefined;
    try {
      return tryLock(this.layout.lock, PATIENCE_MS);
    } catch (error) {
      if (cannotWrite(error)) return undefined;
      throw error;
    }
  }

  /** What an index is made from. */
  #sources(): Omit<RebuildOptions, 'index'> {
    const { history, head, config } = this;
    const { id: repository, subset, partial = false } = config;
    return { history, head, repository, own: this.#lastPresence(), limited: subset !== undefined, partial };
  }

  /** Where the own presence stands; it is written before the index is, so that an index that is behind can be told. */
  #presence(): GitId | undefined {
    const { id, copyOf = id } = this.#config;
    const { history } = this.layout;
    return readRef(history, presenceRef(id)) ?? readRef(history, presenceRef(copyOf));
  }

  #refreshIndex(): IndexDb {
    if (this.head === undefined) return this.reindex();
    try {
      const index = IndexDb.open(this.layout.index);
      rebuildIndex({ index, ...this.#sources() });
      return index;
    } catch (error) {
      if (!(error instanceof IndexDamaged)) throw error;
      return this.reindex();
    }
  }

  #memoryIndex(): IndexDb {
    const index = IndexDb.open(':memory:');
    rebuildIndex({ index, ...this.#sources() });
    return index;
  }
}

/**
 * The repository that holds a folder: the folder itself or the nearest one above it that has a `.bk`.
 * @throws BkError `not-a-repository`, `damaged`
 */
export function openRepository(start: string): Repository {
  return openRepositoryAt(findRoot(start));
}

/**
 * The repository whose root this is, by this very path: it may lead through a descriptor that is held.
 * @throws BkError `not-a-repository`, `damaged`
 */
export function openRepositoryAt(root: string): Repository {
  const layout = layoutOf(root);
  const config = readConfig(layout.config);
  if (config === undefined) {
    throw new BkError('not-a-repository', `cannot use ${layout.dot}: it was not finished`, {
      path: layout.dot,
      hint: hasCloneState(layout)
        ? 'it is a clone that was interrupted: give the same `bk clone` again'
        : `give \`bk init ${root}\` again`,
    });
  }
  const repository = new Repository(layout, config);
  // What a killed command left is finished by whoever comes next, if no writer is at work.
  if (repository.isCopy || hasLeftovers(layout)) finishLeftovers(repository);
  return repository;
}

function finishLeftovers(repository: Repository): void {
  try {
    if (repository.tryWriting()) repository.endWriting();
  } catch (error) {
    repository.close();
    // A copy whose history is damaged stays one for now, so that `check` can tell what is wrong.
    const isDamaged = repository.isCopy && error instanceof BkError && error.code === 'damaged';
    if (!isDamaged && !cannotWrite(error)) throw error;
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
