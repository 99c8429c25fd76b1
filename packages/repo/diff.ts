import { type Change, changesBetween, type GitId, isInside, type RecordAt, type RepoPath } from '@bk/core';
import { diffTrees, findInTree, type HistoryReader, walkTree } from '@bk/store';
import type { Context } from './context.ts';
import { changesBetweenTrees, isFolderIn, recordPath, recordReader } from './history/differences.ts';
import { commitOf, type Past } from './history/revision.ts';
import { pathFilter } from './observe/compare.ts';
import { type WorkingRecords, workingRecords } from './observe/working-records.ts';
import type { Repository } from './repository.ts';
import { status } from './status.ts';

export interface DiffOptions {
  /** Absent: the head, against the folder as it is now. */
  readonly from?: string;
  /** Absent: the folder as it is now. */
  readonly to?: string;
  /** Only what is at or below these, or was; none: everything. */
  readonly paths?: readonly RepoPath[];
}

export interface DiffResult {
  /** By path. */
  readonly changes: readonly Change[];
}

/**
 * What changed between two commits, or from a commit to the folder as it is now; objects are matched by their ids, so
 * a moved file is one `renamed`, however much it was edited. @throws BkError 'usage', 'not-found'
 */
export async function diff(repo: Repository, options: DiffOptions, context: Context): Promise<DiffResult> {
  const { from, to, paths = [] } = options;
  if (from === undefined) return { changes: (await status(repo, { paths }, context)).changes };
  const { history } = repo;
  const tree = history.readCommit(commitOf(repo, from, context)).tree;
  const changes =
    to === undefined
      ? changesToFolder(repo, tree, await workingRecords(repo, context))
      : changesBetweenTrees(history, tree, history.readCommit(commitOf(repo, to, context)).tree);
  return { changes: changes.filter(pathFilter(paths)) };
}

/** From a commit's tree to the folder: looks only where the tree and the head, or the head and the folder, differ. */
export function changesToFolder(
  { history, head }: Pick<Past, 'history' | 'head'>,
  from: GitId,
  working: WorkingRecords,
): Change[] {
  const tree = head === undefined ? undefined : history.readCommit(head).tree;
  const read = recordReader(history);
  const before: RecordAt[] = [];
  const after: RecordAt[] = [];
  const put = (side: RecordAt[], blob: RepoPath, record: RecordAt['record'] | undefined): void => {
    if (record !== undefined) side.push({ path: recordPath(blob), record });
  };
  const seen = new Set<RepoPath>();
  for (const difference of diffTrees(history, from, tree)) {
    seen.add(difference.path);
    put(before, difference.path, difference.before && read(difference.before));
    const now =
      difference.after && !working.has(difference.path)
        ? read(difference.after)
        : working.get(difference.path);
    put(after, difference.path, now);
  }
  for (const [path, record] of working) {
    if (seen.has(path)) continue;
    const old = findInTree(history, from, path);
    put(before, path, old?.kind === 'blob' ? read(old.id) : undefined);
    put(after, path, record);
  }
  const now = (folder: RepoPath): boolean =>
    isFilled(folder, after) || keepsAny(folder, history, tree, working);
  return changesBetween(before, after, { before: isFolderIn(history, from), now });
}

/** Whether something that differs from the commit is in the folder now, be it the folder's own record. */
function isFilled(folder: RepoPath, after: readonly RecordAt[]): boolean {
  return after.some(
    ({ path, record }) => isInside(path, folder) && (path !== folder || record.type === 'dir'),
  );
}

/** Whether anything of the head's folder is still there. */
function keepsAny(
  folder: RepoPath,
  history: HistoryReader,
  head: GitId | undefined,
  working: WorkingRecords,
): boolean {
  const entry = head === undefined ? undefined : findInTree(history, head, folder);
  if (entry?.kind !== 'tree') return false;
  for (const { path } of walkTree(history, entry.id, folder)) {
    if (!working.has(path) || working.get(path) !== undefined) return true;
  }
  return false;
}
