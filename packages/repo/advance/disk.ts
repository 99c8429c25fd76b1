import {
  BkError,
  type DiskFacts,
  decodeName,
  type EntryExpectation,
  hasAbsent,
  isWhollyAbsent,
  KIND,
  type KnownDirectory,
  nameOf,
  PROTECTION,
  parentOf,
  type RepoPath,
  ROOT,
  STAT,
  STAT_WIDTH,
  timeNs,
} from '@bk/core';
import type { SeenFacts } from '@bk/store';
import type { Decision } from '../observe/decide.ts';
import { hashAt } from '../observe/draft.ts';
import { LiveTree } from '../observe/live-tree.ts';
import { placeIn } from '../presence/absent-rows.ts';
import type { Repository } from '../repository.ts';
import type { WholeFolders } from './tree.ts';

/** What the index and a scan that found no changes say of this disk. Rows are read once. */
export class DiskState
  implements Pick<DiskFacts, 'isHere' | 'holdsMore' | 'expect'>, Omit<WholeFolders, 'mayContain'>
{
  readonly #repo: Repository;
  readonly #live: LiveTree;
  readonly #rows = new Map<RepoPath, KnownDirectory | undefined>();
  readonly #fuller = new Set<RepoPath>();

  constructor(repo: Repository, { observation }: Decision) {
    this.#repo = repo;
    this.#live = new LiveTree(repo.layout.root);
    const holds = [...observation.skipped, ...observation.unreadable].map(({ path }) => path);
    for (const [path, { excluded }] of observation.drafts) if (excluded.includes(1)) holds.push(path);
    for (const path of holds)
      for (let folder = path; !this.#fuller.has(folder); folder = parentOf(folder)) this.#fuller.add(folder);
  }

  close(): void {
    this.#live.close();
  }

  row(folder: RepoPath): KnownDirectory | undefined {
    if (!this.#rows.has(folder)) this.#rows.set(folder, this.#repo.index.known(folder));
    return this.#rows.get(folder);
  }

  readonly isHere = (path: RepoPath, _isFolder: boolean): boolean => {
    if (path === ROOT || !this.#repo.index.absent.any) return true;
    const row = this.row(parentOf(path));
    const k = row === undefined ? -1 : placeIn(row, decodeName(nameOf(path)));
    return row === undefined || k < 0 || row.protections[k] !== PROTECTION.absent;
  };

  readonly holdsMore = (folder: RepoPath): boolean => this.#fuller.has(folder);

  readonly stateOf = (folder: RepoPath): 'here' | 'absent' | 'mixed' => {
    const { index } = this.#repo;
    if (!index.absent.any) return 'here';
    let [some, all] = [false, true];
    for (const [, known] of index.below(folder)) {
      some ||= hasAbsent(known);
      all &&= isWhollyAbsent(known);
      if (some && !all) return 'mixed';
    }
    return some ? 'absent' : 'here';
  };

  /** What the index saw last; of what it does not vouch for, what is there now and has been read. */
  readonly expect = (path: RepoPath): EntryExpectation => {
    const row = path === ROOT ? undefined : this.row(parentOf(path));
    const k = row === undefined ? -1 : placeIn(row, decodeName(nameOf(path)));
    if (row === undefined || k < 0 || row.listing.kinds[k] === KIND.dir) return this.#asNow(path);
    const at = (column: number): bigint => row.listing.stats[k * STAT_WIDTH + column]!;
    if (at(STAT.ctime) === 0n) return this.#read(path, row, k);
    return {
      is: 'entry',
      inode: at(STAT.inode),
      size: Number(at(STAT.size)),
      mtimeNs: timeNs(at(STAT.mtime)),
      ctimeNs: timeNs(at(STAT.ctime)),
    };
  };

  /** Which inode a file was, and what the file system made of its time and mode, if that is something else. */
  factsOf(path: RepoPath, recorded: SeenFacts): { readonly inode: bigint; readonly seen?: SeenFacts } {
    const expected = this.expect(path);
    if (expected === NOWHERE) return { inode: 0n };
    const { inode, mtimeNs } = expected;
    const row = this.row(parentOf(path));
    const k = row === undefined ? -1 : placeIn(row, decodeName(nameOf(path)));
    const mode = k < 0 ? recorded.mode : row!.listing.modes[k]!;
    const asRecorded = mtimeNs === recorded.mtimeNs && mode === recorded.mode;
    return { inode, ...(!asRecorded && { seen: { mtimeNs, mode } }) };
  }

  #asNow(path: RepoPath): EntryExpectation {
    const stat = this.#live.stat(path);
    if (stat === undefined) return NOWHERE;
    const { ino, size, mtimeNs, ctimeNs } = stat;
    return { is: 'entry', inode: ino, size: Number(size), mtimeNs, ctimeNs };
  }

  #read(path: RepoPath, row: KnownDirectory, k: number): EntryExpectation {
    const seen = this.#asNow(path);
    return this.#live.content(path) === hashAt(row, k) ? seen : NOWHERE;
  }
}

/** Fits nothing: the step that expects it is a conflict. */
const NOWHERE: EntryExpectation = { is: 'entry', inode: -1n, size: -1, mtimeNs: 0n, ctimeNs: 0n };

/** @throws BkError 'refused' that names some of what stands in the way */
export function refuseUnlessClean(
  { changes, unreadable }: Decision,
  touched: (path: RepoPath) => boolean,
): void {
  if (changes.length > 0) {
    const named = changes.slice(0, 3).map(({ path }) => path);
    const more = changes.length > 3 ? ` and ${changes.length - 3} more` : '';
    throw new BkError(
      'refused',
      `refused: there are changes that are not committed: ${named.join(', ')}${more}`,
      {
        hint: 'commit them first: `bk commit`, or `bk merge --commit`',
        path: named[0]!,
      },
    );
  }
  const hidden = unreadable.find(({ path }) => touched(path));
  if (hidden !== undefined)
    throw new BkError('refused', `refused: ${hidden.path} cannot be looked at: ${hidden.reason}`, {
      hint: 'make it readable, or mount the disk that belongs there, then give the same command again',
      path: hidden.path,
    });
}

/** Whether a path is at, above or below one of these; they are gone through when it is first asked. */
export function touches(paths: Iterable<RepoPath>): (path: RepoPath) => boolean {
  const exact = new Set<RepoPath>();
  const above = new Set<RepoPath>();
  let known = false;
  const learn = (): void => {
    known = true;
    for (const path of paths) {
      exact.add(path);
      for (let at = path; at !== ROOT && !above.has(at); at = parentOf(at)) above.add(at);
    }
  };
  return (path) => {
    if (!known) learn();
    if (path === ROOT) return exact.size > 0;
    for (let at = path; at !== ROOT; at = parentOf(at)) if (exact.has(at)) return true;
    return above.has(path);
  };
}
