import { compareNames, type GitId } from '@bk/core';
import type { CommitObject, HistoryReader } from '@bk/store';

/** How to go on from a commit: to which parents, each with what is known about it. */
export type Onwards<S> = readonly (readonly [parent: GitId, state: S])[];

/**
 * Goes through a commit and its ancestors, the newest first (committer time, then id), each once, never before the
 * child that led to it. Only as much of the graph is read as is asked for.
 */
export function* ancestry<S>(
  history: Pick<HistoryReader, 'readCommit'>,
  start: readonly [GitId, S],
  onwards: (commit: CommitObject, state: S) => Onwards<S>,
): Iterable<readonly [CommitObject, S]> {
  const met = new Set<GitId>([start[0]]);
  /** Oldest first, so that the next one is at the end. */
  const waiting: (readonly [CommitObject, S])[] = [[history.readCommit(start[0]), start[1]]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    yield next;
    for (const [parent, state] of onwards(next[0], next[1])) {
      if (met.has(parent)) continue;
      met.add(parent);
      const commit = history.readCommit(parent);
      waiting.splice(placeOf(waiting, commit), 0, [commit, state]);
    }
  }
}

function placeOf(waiting: readonly (readonly [CommitObject, unknown])[], commit: CommitObject): number {
  let at = waiting.length;
  while (at > 0 && isNewer(waiting[at - 1]![0], commit)) at--;
  return at;
}

function isNewer(a: CommitObject, b: CommitObject): boolean {
  return (a.committer.timeSec - b.committer.timeSec || compareNames(a.id, b.id)) > 0;
}
