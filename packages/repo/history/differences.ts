import {
  type Change,
  type ChangeSummary,
  changesBetween,
  DIRECTORY_RECORD,
  type GitId,
  nameOf,
  parentOf,
  parseRecord,
  type Rec,
  type RecordAt,
  type RepoPath,
  summaryOf,
} from '@bk/core';
import { diffTrees, findInTree, type HistoryReader, type ObjectReader, walkTree } from '@bk/store';

/** Of a file its own path, of a folder's record (`.bkdir`) the folder's. */
export function recordPath(blob: RepoPath): RepoPath {
  return nameOf(blob) === DIRECTORY_RECORD ? parentOf(blob) : blob;
}

/** The records that differ between two trees (undefined: nothing there), at their paths. A moved one is read once. */
export function recordsBetween(
  history: HistoryReader,
  a: GitId | undefined,
  b: GitId | undefined,
): { readonly before: RecordAt[]; readonly after: RecordAt[] } {
  const read = recordReader(history);
  const before: RecordAt[] = [];
  const after: RecordAt[] = [];
  for (const difference of diffTrees(history, a, b)) {
    const path = recordPath(difference.path);
    if (difference.before !== undefined) before.push({ path, record: read(difference.before) });
    if (difference.after !== undefined) after.push({ path, record: read(difference.after) });
  }
  return { before, after };
}

/** Reads records, each blob once. */
export function recordReader(history: Pick<ObjectReader, 'readBlobText'>): (blob: GitId) => Rec {
  const known = new Map<GitId, Rec>();
  return (blob) => {
    let record = known.get(blob);
    if (record === undefined) {
      record = parseRecord(history.readBlobText(blob));
      known.set(blob, record);
    }
    return record;
  };
}

/** What changed from one tree to another, sorted by path; objects are matched by id. */
export function changesBetweenTrees(
  history: HistoryReader,
  a: GitId | undefined,
  b: GitId | undefined,
): Change[] {
  const { before, after } = recordsBetween(history, a, b);
  return changesBetween(before, after, { before: isFolderIn(history, a), now: isFolderIn(history, b) });
}

/** Whether a tree has a folder at a path. */
export function isFolderIn(history: HistoryReader, tree: GitId | undefined): (path: RepoPath) => boolean {
  return (path) => tree !== undefined && findInTree(history, tree, path)?.kind === 'tree';
}

/** How many changes there are of each type. From nothing no record is read: it says what is there. */
export function summaryBetweenTrees(history: HistoryReader, a: GitId | undefined, b: GitId): ChangeSummary {
  if (a !== undefined) return summaryOf(changesBetweenTrees(history, a, b));
  return { ...summaryOf([]), added: countAdded(history, b) };
}

/** Files, and folders that have nothing but their record. */
function countAdded(history: HistoryReader, tree: GitId): number {
  let added = 0;
  const records: RepoPath[] = [];
  for (const { path } of walkTree(history, tree)) {
    if (nameOf(path) === DIRECTORY_RECORD) records.push(parentOf(path));
    else added++;
  }
  for (const folder of records) {
    const entry = findInTree(history, tree, folder);
    if (folder !== '' && entry !== undefined && history.readTree(entry.id).length === 1) added++;
  }
  return added;
}
