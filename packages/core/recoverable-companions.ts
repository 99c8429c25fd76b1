import { companionStemAt } from './companions.ts';
import type { EntryType } from './entry.ts';
import type { GitId } from './ids.ts';
import { compareNames, type RepoPath } from './path.ts';

/** What left a path, and when. */
interface Departure {
  readonly path: RepoPath;
  readonly type: EntryType;
  readonly departedIn: GitId;
  readonly timeMs: number;
  readonly confirmed: boolean;
  readonly reason: 'deleted' | 'replaced';
}

/**
 * Which versions come back because a companion of theirs was named: files that were deleted in the same commit, or by
 * themselves if nobody confirmed it and nothing is in their place by now. What somebody deleted on purpose, or has anew,
 * is not asked for.
 * @param isFree whether nothing is at the place of a path
 * @returns for a version that nobody named, the named file that it goes with
 */
export function companionsToRecover(
  versions: Iterable<Departure>,
  wanted: readonly RepoPath[],
  isFree: (path: RepoPath) => boolean,
): (version: Departure) => RepoPath | undefined {
  const named = namedFiles(versions, new Set(wanted));
  return ({ path, type, reason, confirmed, departedIn }) => {
    if (named.size === 0 || type === 'dir' || reason !== 'deleted') return undefined;
    const leader = named.get(companionStemAt(path));
    if (leader === undefined || leader.path === path) return undefined;
    const isAsked = leader.commits.has(departedIn) || (!confirmed && isFree(path));
    return isAsked ? leader.path : undefined;
  };
}

/** What of the wanted is a file, by the stem of its companions. */
interface Leader {
  readonly path: RepoPath;
  /** Those in which one of the wanted of this stem left last. */
  readonly commits: Set<GitId>;
}

function namedFiles(versions: Iterable<Departure>, wanted: ReadonlySet<RepoPath>): Map<string, Leader> {
  const latest = new Map<RepoPath, Departure>();
  for (const version of versions) {
    if (version.type === 'dir' || !wanted.has(version.path)) continue;
    const known = latest.get(version.path);
    if (known === undefined || isLater(version, known)) latest.set(version.path, version);
  }
  const named = new Map<string, Leader>();
  for (const path of wanted) {
    const version = latest.get(path);
    if (version === undefined) continue;
    const stem = companionStemAt(path);
    const leader = named.get(stem) ?? { path, commits: new Set() };
    leader.commits.add(version.departedIn);
    named.set(stem, leader);
  }
  return named;
}

function isLater(a: Departure, b: Departure): boolean {
  return (a.timeMs - b.timeMs || compareNames(a.departedIn, b.departedIn)) > 0;
}
