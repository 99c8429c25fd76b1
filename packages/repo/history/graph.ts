import type { CommitGraph, GitId } from '@bk/core';
import type { CommitObject, ObjectReader } from '@bk/store';

type Commits = Pick<ObjectReader, 'readCommit'>;

/** The graph of commits, as core asks for it. */
export function graphOf(history: Commits): CommitGraph {
  return (id) => {
    const { parents, committer } = history.readCommit(id);
    return { parents, timeSec: committer.timeSec };
  };
}

export interface CommitsBetween {
  /** Those that lead to `to` and not to `from`, parents before children, in an order that only the graph decides. */
  readonly commits: readonly CommitObject[];
  /** `from` leads to `to`, or there was none; else these are all that lead to `to`. */
  readonly continues: boolean;
}

/** Commits from the one after `from` to `to`. As long as there is only one line, no more than that is read. */
export function commitsBetween(
  history: Commits,
  from: GitId | undefined,
  to: GitId | undefined,
): CommitsBetween {
  const line: CommitObject[] = [];
  for (let id = to; id !== from; ) {
    if (id === undefined) return { commits: line.reverse(), continues: false };
    const commit = history.readCommit(id);
    if (commit.parents.length > 1) return manyBetween(history, from, to!);
    line.push(commit);
    id = commit.parents[0];
  }
  return { commits: line.reverse(), continues: true };
}

function manyBetween(history: Commits, from: GitId | undefined, to: GitId): CommitsBetween {
  const known = new Set<GitId>();
  if (from !== undefined) {
    known.add(from);
    for (const id of known) for (const parent of history.readCommit(id).parents) known.add(parent);
  }
  const commits = parentsFirst(history, to, known);
  const continues = from === undefined || commits.some(({ parents }) => parents.includes(from));
  return continues ? { commits, continues } : { commits: parentsFirst(history, to, new Set()), continues };
}

function parentsFirst(history: Commits, to: GitId, known: ReadonlySet<GitId>): CommitObject[] {
  const done = new Set(known);
  const commits: CommitObject[] = [];
  const stack: { id: GitId; commit?: CommitObject }[] = [{ id: to }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    if (done.has(top.id)) stack.pop();
    else if (top.commit === undefined) {
      top.commit = history.readCommit(top.id);
      for (const id of [...top.commit.parents].reverse()) if (!done.has(id)) stack.push({ id });
    } else {
      done.add(top.id);
      commits.push(top.commit);
      stack.pop();
    }
  }
  return commits;
}
