import {
  decodeName,
  hasOwnRecord,
  isWhollyAbsent,
  KIND,
  type KnownDirectory,
  nameOf,
  PROTECTION,
  type Protection,
  parentOf,
  type RepoPath,
  ROOT,
  STAT,
  STAT_WIDTH,
  timeNs,
} from '@bk/core';
import type { Context } from '../context.ts';
import { entryPath } from '../observe/draft.ts';
import { groundOf } from '../observe/ground.ts';
import { LiveTree } from '../observe/live-tree.ts';
import type { Repository } from '../repository.ts';
import { forgetListed, missing, placeIn, rowsWithout, settleFlags } from './absent-rows.ts';
import { publishPresence, publishPresent } from './presence.ts';

/** A file or link of the head that was just placed at its path, as `lstat` shows it. */
export interface Placed {
  readonly path: RepoPath;
  /** STAT_WIDTH columns. */
  readonly stats: BigInt64Array;
  /** When it was looked at, ns since 1970. */
  readonly observedNs: bigint;
  readonly protection: Protection;
  /** Its permission bits, if the file system may not keep those of the record. */
  readonly mode?: number;
}

/**
 * Durably says that these files and links of the head are not here by design: presence first, then the index. Before
 * their files are let go of, so that a kill in between never looks like a deletion. Folders that are left with nothing
 * present are absent too. The path of a folder stands for all at and below it.
 * @throws BkError 'not-found' for a path that the head does not have
 */
export function setAbsent(repo: Repository, paths: readonly RepoPath[], context: Context): void {
  const put = rowsWithout(repo.index, paths);
  if (put.size === 0) return;
  const presence = publishPresent(repo, { history: repo.history, index: repo.index, put }, context);
  repo.index.write({ put, presence });
}

/** Says that these are here again, after they were placed: index first, then presence. */
export function setPresent(repo: Repository, placed: readonly Placed[], context: Context): void {
  const rows = new Rows(repo);
  const { grainNs } = groundOf(repo.layout.root).trust;
  for (const one of placed) rows.markPlaced(one, grainNs);
  if (rows.put.size > 0) {
    rows.recordFolders();
    settleFlags(rows.put, repo.index);
    repo.index.write({ put: rows.put });
  }
  publishPresence(repo, context);
}

/** Files and links of the head at or below a path that are not here by design, in byte order of their folders. */
export function* absentBelow({ index }: Repository, path: RepoPath): Generator<RepoPath> {
  if (!index.absent.any) return;
  for (const folder of index.absent.folders(path)) {
    const { listing, protections } = index.known(folder) ?? missing(folder);
    for (let k = 1; k < protections.length; k++)
      if (protections[k] === PROTECTION.absent && listing.kinds[k] !== KIND.dir)
        yield entryPath(folder, listing, k);
  }
  if (path !== ROOT && index.row(path) === undefined && isAbsent({ index }, path)) yield path;
}

/** Whether a file, link or folder of the head is, by design, not here (of a folder: nothing of it). */
export function isAbsent({ index }: Pick<Repository, 'index'>, path: RepoPath): boolean {
  if (!index.absent.any) return false;
  const known = index.known(path === ROOT ? ROOT : parentOf(path));
  if (known === undefined) return false;
  if (path === ROOT) return isWhollyAbsent(known);
  const k = placeIn(known, decodeName(nameOf(path)));
  return k > 0 && known.protections[k] === PROTECTION.absent;
}

/** Rows of the index, each read once and changed in place. */
class Rows {
  readonly put = new Map<RepoPath, KnownDirectory>();
  readonly #repo: Repository;

  constructor(repo: Repository) {
    this.#repo = repo;
  }

  ofFolder(path: RepoPath): KnownDirectory | undefined {
    return this.put.get(path) ?? this.#repo.index.known(path);
  }

  markPlaced({ path, stats, observedNs, protection, mode }: Placed, grainNs: bigint): void {
    const { known, k } = this.#entry(path);
    const row = observedNs > known.observedNs ? observedLater(known, observedNs, grainNs) : known;
    row.listing.stats.set(stats.subarray(0, STAT_WIDTH), k * STAT_WIDTH);
    if (timeNs(stats[STAT.ctime]!) > observedNs - grainNs)
      row.listing.stats[k * STAT_WIDTH + STAT.ctime] = 0n;
    if (mode !== undefined) row.listing.modes[k] = mode;
    row.protections[k] = protection;
    forgetListed(row.listing);
    this.put.set(parentOf(path), row);
  }

  /** Own records of the folders that something was placed in: they are here if the folders are as recorded. */
  recordFolders(): void {
    const live = new LiveTree(this.#repo.layout.root);
    try {
      for (const placed of [...this.put.keys()]) {
        for (let folder = placed; ; folder = parentOf(folder)) {
          const known = this.ofFolder(folder) ?? missing(folder);
          if (hasOwnRecord(known) && known.protections[0] === PROTECTION.absent) {
            const mode = live.stat(folder)?.mode;
            if (mode !== undefined && Number(mode & 0o7777n) === known.listing.modes[0]) {
              known.protections[0] = PROTECTION.none;
              this.put.set(folder, known);
            }
          }
          if (folder === ROOT) break;
        }
      }
    } finally {
      live.close();
    }
  }

  #entry(path: RepoPath): { known: KnownDirectory; k: number } {
    const known = path === ROOT ? undefined : this.ofFolder(parentOf(path));
    const k = known === undefined ? -1 : placeIn(known, decodeName(nameOf(path)));
    if (known === undefined || k < 0 || known.listing.kinds[k] === KIND.dir) return missing(path);
    return { known, k };
  }
}

/** The row as looked at later: what was written just before it was looked at before is not proven by that. */
function observedLater(known: KnownDirectory, observedNs: bigint, grainNs: bigint): KnownDirectory {
  const { stats, names } = known.listing;
  for (let k = 1; k < names.length; k++) {
    const at = k * STAT_WIDTH + STAT.ctime;
    if (timeNs(stats[at]!) > known.observedNs - grainNs) stats[at] = 0n;
  }
  return { ...known, observedNs };
}
