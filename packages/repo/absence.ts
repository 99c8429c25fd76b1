import { BkError, type Protection, type RepoPath } from '@bk/core';
import type { Context } from './context.ts';
import type { Repository } from './repository.ts';

/** A file or link of the head that was just placed at its path, as `lstat` shows it. */
export interface Placed {
  readonly path: RepoPath;
  /** STAT_WIDTH columns. */
  readonly stats: BigInt64Array;
  /** When it was looked at, ns since 1970. */
  readonly observedNs: bigint;
  readonly protection: Protection;
}

/**
 * Durably says that these files and links of the head are not here by design: presence first, then the index. Before
 * their files are let go of, so that a kill in between never looks like a deletion. Folders that are left with nothing
 * present are absent too.
 */
export function setAbsent(_repo: Repository, _paths: readonly RepoPath[], _context: Context): void {
  throw new BkError('bug', 'not built yet');
}

/** Says that these are here again, after they were placed: index first, then presence. */
export function setPresent(_repo: Repository, _placed: readonly Placed[], _context: Context): void {
  throw new BkError('bug', 'not built yet');
}

/** Files and links of the head at or below a path that are not here by design, in byte order of their folders. */
export function absentBelow(_repo: Repository, _path: RepoPath): Iterable<RepoPath> {
  throw new BkError('bug', 'not built yet');
}

export function isAbsent(_repo: Repository, _path: RepoPath): boolean {
  throw new BkError('bug', 'not built yet');
}
