import {
  comparePaths,
  encodeName,
  type FsName,
  type FsPath,
  isReservedName,
  isWhollyAbsent,
  KIND,
  type KnownDirectory,
  type Listing,
  type PathProblem,
  PROTECTION,
  type RepoPath,
} from '@bk/core';
import { decodeRow, IndexDamaged, type IndexDb, isMountRow } from '@bk/store';
import { bytePath, type DirectoryReport, IGNORE_FILE, type IgnoreRules } from '@bk/worktree';
import type { Draft } from './draft.ts';
import type { Ground } from './ground.ts';
import type { Pool } from './pool.ts';

/** The folder compared with the index: only what differs is mentioned, and only complete listings speak of absence. */
export interface Observation {
  readonly drafts: ReadonlyMap<RepoPath, Draft>;
  /** Known folders that a complete listing no longer has; all below them that was here is gone too. */
  readonly vanished: readonly RepoPath[];
  /** Folders and entries that could not be looked at; what the head has there stays as it is. */
  readonly unreadable: readonly PathProblem[];
  readonly skipped: readonly PathProblem[];
  /** Folders on which something is mounted now, which their rows do not say yet. */
  readonly mounted: readonly RepoPath[];
  /** Entries looked at. */
  readonly entries: number;
}

/** Directories looked at in one task. */
const BATCH = 48;
/** Entries after which threads pay. */
const MANY = 4_000;

interface Place {
  readonly place: FsPath;
  readonly path: RepoPath;
  /** The head has a folder there, so the index has a row of it. */
  readonly tracked: boolean;
}

export interface ObserveOptions {
  readonly root: string;
  readonly index: IndexDb;
  readonly ground: Ground;
  readonly ignore: IgnoreRules;
  readonly pool: Pool;
  readonly onEntries?: (entries: number) => void;
}

/** @throws IndexDamaged if a row is missing or damaged: nothing may be concluded from what it should have said */
export async function observe(options: ObserveOptions): Promise<Observation> {
  const search = new Search(options);
  await search.run();
  return search.result();
}

/** A breadth-first walk, many directories at a time. */
class Search {
  readonly #options: ObserveOptions;
  readonly #queue: Place[];
  readonly #drafts = new Map<RepoPath, Draft>();
  readonly #vanished: RepoPath[] = [];
  readonly #unreadable: PathProblem[] = [];
  readonly #skipped: PathProblem[] = [];
  readonly #mounted: RepoPath[] = [];
  #entries = 0;
  #next = 0;

  constructor(options: ObserveOptions) {
    this.#options = options;
    this.#queue = [{ place: '' as FsPath, path: '' as RepoPath, tracked: options.index.head !== undefined }];
    if (options.index.presentFiles > MANY) options.pool.start();
  }

  async run(): Promise<void> {
    const running = new Set<Promise<void>>();
    while (this.#next < this.#queue.length || running.size > 0) {
      while (this.#next < this.#queue.length && running.size < Math.max(1, this.#options.pool.threads * 3)) {
        const step: Promise<void> = this.#lookAt(this.#take()).finally(() => running.delete(step));
        running.add(step);
      }
      await Promise.race(running);
      if (this.#entries > MANY && this.#queue.length - this.#next > BATCH) this.#options.pool.start();
    }
  }

  result(): Observation {
    const byPath = (a: { path: RepoPath }, b: { path: RepoPath }) => comparePaths(a.path, b.path);
    return {
      drafts: this.#drafts,
      vanished: this.#vanished.sort(comparePaths),
      unreadable: this.#unreadable.sort(byPath),
      skipped: this.#skipped.sort(byPath),
      mounted: this.#mounted,
      entries: this.#entries,
    };
  }

  #take(): Place[] {
    const left = this.#queue.length - this.#next;
    const share = Math.ceil(left / Math.max(1, this.#options.pool.threads * 2));
    const batch = this.#queue.slice(this.#next, this.#next + Math.min(BATCH, share));
    this.#next += batch.length;
    if (this.#next > 10_000) {
      this.#queue.splice(0, this.#next);
      this.#next = 0;
    }
    return batch;
  }

  async #lookAt(batch: readonly Place[]): Promise<void> {
    const { root, ground, index, pool } = this.#options;
    const rows = batch.map(({ path, tracked }) => {
      const row = index.row(path);
      if (row === undefined && tracked) throw new IndexDamaged(`it has no row of "${path}"`);
      return row;
    });
    const directories = batch.map(({ place }, i) => ({ path: place, row: rows[i] }));
    const reports = await pool.run('look', { root: bytePath(root), trust: ground.trust, directories });
    for (const [i, report] of reports.entries()) this.#receive(batch[i]!, rows[i], report);
    this.#options.onEntries?.(this.#entries);
  }

  #receive(at: Place, row: Buffer | undefined, report: DirectoryReport): void {
    if (report.state === 'failed') {
      this.#unreadable.push({ path: at.path, reason: report.reason });
      return;
    }
    if (report.state === 'same') {
      this.#entries += report.entries;
      if (this.#offline(at, row)) return;
      if (report.folders !== '')
        for (const name of report.folders.split('/')) this.#descend(at, name as FsName, true);
      return;
    }
    this.#entries += report.listing.names.length - 1;
    const known = row === undefined ? undefined : decodeRow(row);
    if (row !== undefined && known === undefined)
      throw new IndexDamaged(`the row of "${at.path}" is damaged`);
    if (!this.#offline(at, row)) this.#differs(at, known, report);
  }

  /** A folder that was a mount point and is none now shows what lies under it, not what was in it. */
  #offline(at: Place, row: Buffer | undefined): boolean {
    if (row === undefined || at.path === '') return false;
    const wasMount = isMountRow(row);
    if (this.#options.ground.mounts.has(at.place)) {
      if (!wasMount) this.#mounted.push(at.path);
      return false;
    }
    const known = wasMount ? decodeRow(row) : undefined;
    if (!wasMount || (known !== undefined && isWhollyAbsent(known))) return false;
    this.#unreadable.push({ path: at.path, reason: 'offline: nothing is mounted here now' });
    return true;
  }

  #differs(
    at: Place,
    known: KnownDirectory | undefined,
    report: Extract<DirectoryReport, { state: 'differs' }>,
  ): void {
    const { listing } = report;
    if (at.path !== '' && holdsRepository(listing)) {
      this.#skipped.push({ path: at.path, reason: 'another repository' });
      return;
    }
    const draft: Draft = {
      path: at.path,
      place: at.place,
      listing,
      known,
      knownPlace: report.known,
      vouched: report.vouched,
      excluded: new Uint8Array(listing.names.length),
      observedNs: report.observedNs,
      mount: this.#options.ground.mounts.has(at.place),
      readable: report.unreadable.length === 0,
    };
    this.#drafts.set(at.path, draft);
    if (draft.readable && !listing.names.includes(IGNORE_FILE)) this.#options.ignore.hasNone(at.place);
    for (const { name, reason } of report.unreadable) {
      this.#unreadable.push({ path: childPath(at, name), reason });
    }
    for (let i = 1; i < listing.names.length; i++) this.#entry(at, draft, i);
    if (known !== undefined)
      this.#findVanished(at, draft, new Set(report.unreadable.map(({ name }) => name)));
  }

  #entry(at: Place, draft: Draft, i: number): void {
    const name = draft.listing.names[i]! as FsName;
    const kind = draft.listing.kinds[i]!;
    const k = draft.knownPlace[i]!;
    const tracked = k >= 0;
    const reason = this.#whyNot(at, name, kind, tracked);
    if (reason !== undefined) {
      draft.excluded[i] = 1;
      if (reason !== '') this.#skipped.push({ path: childPath(at, name), reason });
    } else if (kind === KIND.dir)
      this.#descend(at, name, tracked && draft.known?.listing.kinds[k] === KIND.dir);
  }

  /** Why an entry is not tracked: a reason for people, '' if they asked for it, undefined if it is. */
  #whyNot(at: Place, name: FsName, kind: number, tracked: boolean): string | undefined {
    if (isReservedName(name))
      return at.path === '' && name === '.bk' ? '' : 'a name that bk keeps for itself';
    if (kind === KIND.other) return 'not a file, folder or link';
    const place = (at.place === '' ? name : `${at.place}/${name}`) as FsPath;
    return !tracked && this.#options.ignore.ignores(place, kind === KIND.dir) ? '' : undefined;
  }

  #descend(at: Place, name: FsName, tracked: boolean): void {
    const place = (at.place === '' ? name : `${at.place}/${name}`) as FsPath;
    this.#queue.push({ place, path: childPath(at, name), tracked });
  }

  #findVanished(at: Place, draft: Draft, unreadable: ReadonlySet<string>): void {
    const known = draft.known!;
    const here = new Map<string, number>();
    draft.listing.names.forEach((name, i) => void here.set(name, i));
    known.listing.names.forEach((name, k) => {
      if (k === 0 || known.listing.kinds[k] !== KIND.dir || unreadable.has(name)) return;
      if (known.protections[k] === PROTECTION.absent) return;
      const i = here.get(name);
      if (i === undefined || draft.listing.kinds[i] !== KIND.dir) this.#vanished.push(childPath(at, name));
    });
  }
}

/** A folder called `.bk` makes its folder another repository; a file or link of that name makes nothing. */
function holdsRepository({ names, kinds }: Listing): boolean {
  const at = names.indexOf('.bk');
  return at > 0 && kinds[at] === KIND.dir;
}

function childPath(at: Place, name: string): RepoPath {
  const encoded = encodeName(name as FsName);
  return (at.path === '' ? encoded : `${at.path}/${encoded}`) as RepoPath;
}
