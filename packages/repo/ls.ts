import {
  BkError,
  type ContentHash,
  comparePaths,
  DIRECTORY_RECORD,
  type EntryType,
  type GitId,
  joinPath,
  parseRecord,
  type RepoPath,
  ROOT,
} from '@bk/core';
import { findInTree, type HistoryReader, type TreeEntry, walkTree } from '@bk/store';
import type { Context } from './context.ts';
import { recordPath } from './history/differences.ts';
import { commitOf, type Past } from './history/revision.ts';
import { isHere } from './observe/is-here.ts';

export interface LsOptions {
  /** Absent: HEAD. */
  readonly rev?: string;
  /** A folder or file; absent: the root. */
  readonly path?: RepoPath;
  /** All records below, instead of what is in the folder itself. */
  readonly recursive?: boolean;
}

export interface LsEntry {
  readonly path: RepoPath;
  readonly type: EntryType;
  /** Bytes; 0 for folders. */
  readonly size: number;
  /** Null for folders, like `mtime`. */
  readonly blake3: ContentHash | null;
  readonly mtime: string | null;
  readonly mode: string;
  /** Whether it is in the folder now; of an earlier commit, whether its content is. */
  readonly present: boolean;
}

export interface LsResult {
  /** By the bytes of their paths. */
  readonly entries: readonly LsEntry[];
}

/** A repository whose folder can be looked at too. */
export interface PastHere extends Past {
  readonly layout: { readonly history: string; readonly root: string };
  readonly index: { living(wanted: ReadonlySet<ContentHash>): Set<ContentHash> };
}

const PLAIN_MODE = '0755';

/** Lists a folder of a commit, with what is not here marked so. @throws BkError 'not-found' */
export function ls(repo: PastHere, options: LsOptions, context: Pick<Context, 'nowMs'>): LsResult {
  const { path = ROOT, rev } = options;
  if (repo.head === undefined && rev === undefined && path === ROOT) return { entries: [] };
  const commit = commitOf(repo, rev ?? 'HEAD', context);
  const root = repo.history.readCommit(commit).tree;
  const found = findInTree(repo.history, root, path);
  if (found === undefined) {
    throw new BkError('not-found', `no ${path} in commit ${commit.slice(0, 10)}`, {
      path,
      hint: '`bk log PATH` tells in which commits it was',
    });
  }
  const rows =
    found.kind === 'blob'
      ? [recordRow(repo.history, path, found.id)]
      : folderRows(repo.history, path, found.id, options);
  const isPresent = commit === repo.head ? (row: Row) => isHere(repo.layout.root, row) : isLiving(repo, rows);
  return { entries: rows.map((row) => ({ ...row, present: isPresent(row) })) };
}

type Row = Omit<LsEntry, 'present'>;

function folderRows(
  history: HistoryReader,
  folder: RepoPath,
  tree: GitId,
  { recursive = false }: LsOptions,
): Row[] {
  const rows = recursive
    ? Array.from(walkTree(history, tree, folder), ({ path, id }) => recordRow(history, path, id))
    : history
        .readTree(tree)
        .filter(({ name }) => name !== DIRECTORY_RECORD)
        .map((entry) => childRow(history, folder, entry));
  return rows.filter(({ path }) => path !== folder).sort((a, b) => comparePaths(a.path, b.path));
}

function childRow(history: HistoryReader, folder: RepoPath, { name, kind, id }: TreeEntry): Row {
  const path = joinPath(folder, name);
  if (kind === 'blob') return recordRow(history, path, id);
  const own = history.readTree(id).find((entry) => entry.name === DIRECTORY_RECORD);
  if (own !== undefined) return recordRow(history, joinPath(path, DIRECTORY_RECORD), own.id);
  return { path, type: 'dir', size: 0, blake3: null, mtime: null, mode: PLAIN_MODE };
}

function recordRow(history: HistoryReader, blob: RepoPath, id: GitId): Row {
  const { type, size, blake3, mtime, mode } = parseRecord(history.readBlobText(id));
  return {
    path: recordPath(blob),
    type,
    size: size ?? 0,
    blake3: blake3 ?? null,
    mtime: mtime ?? null,
    mode,
  };
}

/** Of an earlier commit: whether the head still has the content; folders have none. */
function isLiving({ index }: PastHere, rows: readonly Row[]): (row: Row) => boolean {
  const wanted = new Set<ContentHash>();
  for (const { blake3 } of rows) if (blake3 !== null) wanted.add(blake3);
  const living = index.living(wanted);
  return ({ blake3 }) => blake3 === null || living.has(blake3);
}
