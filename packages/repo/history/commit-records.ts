import {
  BkError,
  decodeName,
  formatCommitMessage,
  formatRecord,
  GIT_ID_BYTES,
  type GitId,
  hasOwnRecord,
  ID_BYTES,
  isWhollyAbsent,
  type KnownDirectory,
  nameOf,
  PROTECTION,
  parentOf,
  parseRecord,
  type Rec,
  type RepoPath,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import { type DepartedRow, IndexDamaged, PackWriter, updateRef } from '@bk/store';
import type { Context } from '../context.ts';
import { recordedFacts } from '../index/departures.ts';
import { recordAt } from '../observe/draft.ts';
import { LiveTree } from '../observe/live-tree.ts';
import { placeIn } from '../presence/absent-rows.ts';
import { addPresence, movePresence } from '../presence/presence.ts';
import { presentTree } from '../presence/present-tree.ts';
import { MAIN, type Repository } from '../repository.ts';
import { signatureOf } from './signature.ts';
import { TreeEdits, type Written, writeTrees } from './trees.ts';

/** What a file, link or folder of the head is to be recorded as; null: a folder that needs no record of its own any more. */
export interface RecordEdit {
  readonly path: RepoPath;
  readonly isFolder: boolean;
  readonly record: Rec | null;
}

/**
 * An ordinary commit that changes nothing but what is recorded of objects that the head has: no scan, no content, and
 * what is not committed yet stays so. Id, type, content and times of the records must be those that the head has. Only
 * while writing. Killed anywhere, it is made or not made; the index is mended from the history.
 */
export function commitRecords(
  repo: Repository,
  { edits, message }: { readonly edits: readonly RecordEdit[]; readonly message: string },
  context: Context,
): GitId {
  const { head, history, layout, config } = repo;
  if (head === undefined) throw new IndexDamaged('it has records, but nothing is committed');
  refuseMissingFolders(repo, edits);
  const writer = new PackWriter(layout.history, layout.staging, { reader: history });
  try {
    const tree = new TreeEdits();
    const blobs = edits.map(({ record }) => (record === null ? null : writer.addBlob(formatRecord(record))));
    edits.forEach(({ path, isFolder }, i) => {
      if (isFolder) tree.setFolder(path, blobs[i]!);
      else tree.set(path, blobs[i]!);
    });
    const root = history.readCommit(head).tree;
    const trees = writeTrees(tree, { reader: history, writer, root });
    if (trees.root === undefined || trees.root === root) return head;
    const signature = signatureOf(repo, context);
    const repository = { id: config.id, name: config.name };
    const commit = writer.addCommit({
      ...{ tree: trees.root, parents: [head], author: signature, committer: signature },
      message: formatCommitMessage({ message, repository }),
    });
    const left = departedFolders(repo, edits, { commit, timeSec: signature.timeSec });
    const put = rowsAfter(repo, trees, edits, blobs);
    const written = new Map(trees.written.map(({ path, entries }) => [path, entries]));
    const present = presentTree(trees.root, { history, index: repo.index, put, written }, writer);
    const presence = addPresence(repo, { writer, present, signature, whole: present === trees.root });
    writer.finish();
    updateRef(layout.history, MAIN, head, commit, { exclusive: true });
    repo.movedTo(commit);
    if (presence !== undefined) movePresence(repo, presence);
    history.refresh();
    repo.index.write({ head: commit, put, presence: presence?.commit, departed: left });
    return commit;
  } finally {
    writer.abort();
  }
}

/** A folder without a record is known again by nothing: the record would be lost with the next commit. */
function refuseMissingFolders(repo: Repository, edits: readonly RecordEdit[]): void {
  const live = new LiveTree(repo.layout.root);
  try {
    for (const { path, isFolder, record } of edits) {
      const known = isFolder && record !== null ? repo.index.known(path) : undefined;
      if (known === undefined || hasOwnRecord(known) || isWhollyAbsent(known)) continue;
      if (live.stat(path)?.isDirectory() === true) continue;
      throw new BkError('refused', `refused: the folder ${path} is not there any more`, {
        path,
        hint: 'it was moved or deleted: commit that first, `bk commit`; nothing was changed',
      });
    }
  } finally {
    live.close();
  }
}

function departedFolders(
  { index, history }: Repository,
  edits: readonly RecordEdit[],
  by: Pick<DepartedRow, 'commit' | 'timeSec'>,
): DepartedRow[] {
  return edits.flatMap(({ path, isFolder, record }): DepartedRow[] => {
    const known = isFolder && record === null ? index.known(path) : undefined;
    if (known === undefined || !hasOwnRecord(known)) return [];
    const old = recordAt(known, 0);
    const facts = recordedFacts(parseRecord(history.readBlobText(old)));
    const inode = known.listing.stats[STAT.inode]!;
    return [
      { ...facts, path, record: old, inode, ...by, reason: 'deleted', confirmed: false, released: false },
    ];
  });
}

/** The rows of the folders whose trees are new: what was seen on the disk stays what it was, only records are others. */
function rowsAfter(
  repo: Repository,
  { written }: Written,
  edits: readonly RecordEdit[],
  blobs: readonly (GitId | null)[],
): Map<RepoPath, KnownDirectory> {
  const put = new Map<RepoPath, KnownDirectory>();
  for (const { path, tree } of written) {
    const known = repo.index.known(path);
    if (known === undefined || tree === undefined) throw new IndexDamaged(`it has no row of "${path}"`);
    put.set(path, { ...known, tree });
  }
  const live = new LiveTree(repo.layout.root);
  try {
    edits.forEach(({ path, isFolder, record }, i) => {
      const row = put.get(isFolder ? path : parentOf(path));
      if (row === undefined) return; // The record is as it was.
      if (isFolder) putOwn(row, record, blobs[i]!, () => live.stat(path));
      else putRecord(row, placeIn(row, decodeName(nameOf(path))), blobs[i]!);
    });
  } finally {
    live.close();
  }
  return put;
}

function putRecord({ records }: KnownDirectory, k: number, blob: GitId | null): void {
  const at = k * GIT_ID_BYTES;
  records.set(Buffer.from(blob ?? '', 'hex'), at);
  if (blob === null) records.fill(0, at, at + GIT_ID_BYTES);
}

type Look = () => { readonly ino: bigint; readonly birthtimeNs: bigint } | undefined;

/** A folder that gets a record is known again by its inode where it is moved to; one of which nothing is here is absent. */
function putOwn(row: KnownDirectory, record: Rec | null, blob: GitId | null, look: Look): void {
  const { ids, protections, listing } = row;
  const isNew = !hasOwnRecord(row);
  const absent = isNew && isWhollyAbsent(row);
  putRecord(row, 0, blob);
  ids.set(Buffer.from(record?.id.replaceAll('-', '') ?? '', 'hex'));
  if (record === null) {
    ids.fill(0, 0, ID_BYTES);
    protections[0] = PROTECTION.none;
  } else if (absent) protections[0] = PROTECTION.absent;
  else if (isNew && listing.stats[STAT.inode] === 0n) {
    const stat = look();
    const stats = new BigInt64Array(STAT_WIDTH);
    stats[STAT.inode] = stat?.ino ?? 0n;
    stats[STAT.birth] = stat?.birthtimeNs ?? 0n;
    listing.stats.set(stats);
  }
}
