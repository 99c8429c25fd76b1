import { BkError, type Change, parseRecord, type Rec, type RepoPath, summaryOf } from '@bk/core';
import { findInTree } from '@bk/store';
import type { Context } from './context.ts';
import { type CommitReport, commitReport, treeBefore } from './history/commit-report.ts';
import { changesBetweenTrees } from './history/differences.ts';
import { commitOf } from './history/revision.ts';
import { type LsResult, ls, type PastHere } from './ls.ts';

export interface ShowOptions {
  readonly rev: string;
  /** What of the commit; absent: the commit itself. */
  readonly path?: RepoPath;
}

/** A commit with what it changed against its first parent. */
export interface ShownCommit extends CommitReport {
  readonly changes: readonly Change[];
}

export interface ShownRecord {
  readonly path: RepoPath;
  readonly record: Rec;
}

export type ShowResult = ShownCommit | ShownRecord | LsResult;

/** A commit, the record of a file in it, or a folder of it as `ls` lists it. @throws BkError 'not-found' */
export function show(
  repo: PastHere,
  { rev, path }: ShowOptions,
  context: Pick<Context, 'nowMs'>,
): ShowResult {
  const { history } = repo;
  const commit = history.readCommit(commitOf(repo, rev, context));
  if (path === undefined) {
    const changes = changesBetweenTrees(history, treeBefore(history, commit), commit.tree);
    return { ...commitReport(history, commit, summaryOf(changes)), changes };
  }
  const found = findInTree(history, commit.tree, path);
  if (found?.kind === 'blob') return { path, record: parseRecord(history.readBlobText(found.id)) };
  if (found?.kind === 'tree') return ls(repo, { rev: commit.id, path }, context);
  throw new BkError('not-found', `no ${path} in commit ${commit.id.slice(0, 10)}`, {
    path,
    hint: '`bk log PATH` tells in which commits it was',
  });
}
