import { setImmediate } from 'node:timers/promises';
import {
  comparePaths,
  formatJson,
  type GitId,
  type ObjectId,
  type PathProblem,
  parseRecord,
  type Rec,
  type RepoPath,
  ROOT,
} from '@bk/core';
import { type MediaReader, mediaReader, reasonOf } from '@bk/worktree';
import type { Context } from './context.ts';
import { commitRecords, type RecordEdit } from './history/commit-records.ts';
import { recordAt } from './observe/draft.ts';
import { headEntries, isAbsentEntry } from './observe/head-entries.ts';
import { LiveTree } from './observe/live-tree.ts';
import type { Repository } from './repository.ts';

export interface MediaRefreshResult {
  /** Media files whose contents were read. */
  readonly read: number;
  /** Those of which something else is recorded now. */
  readonly changed: readonly { readonly path: RepoPath; readonly id: ObjectId }[];
  /** Null: what was recorded is what the contents say. */
  readonly commit: GitId | null;
  readonly unreadable: readonly PathProblem[];
}

/**
 * Reads media facts and payload hashes of contents that are known already anew, since this bk may read more than the one
 * that recorded them. A commit of its own, of records only: a file that is not here, or not as it was committed, keeps
 * what is recorded of it.
 * @throws BkError `locked`, `no-space`, `io`
 */
export async function refreshMedia(repo: Repository, context: Context): Promise<MediaRefreshResult> {
  repo.beginWriting();
  const reader = await mediaReader();
  const live = new LiveTree(repo.layout.root);
  const edits: RecordEdit[] = [];
  const unreadable: PathProblem[] = [];
  let read = 0;
  let bytes = 0;
  try {
    for (const { path, record } of filesHere(repo)) {
      const now = said(live, { path, record, reader }, unreadable);
      if (now === undefined) continue;
      if (!isSame(record, now)) edits.push({ path, isFolder: false, record: now });
      bytes += record.size ?? 0;
      context.report({ phase: 'hash', files: ++read, bytes });
      await setImmediate();
    }
  } finally {
    live.close();
  }
  const changed = edits.map(({ path, record }) => ({ path, id: (record as Rec).id }));
  return {
    read,
    changed: changed.sort((a, b) => comparePaths(a.path, b.path)),
    commit: edits.length === 0 ? null : commitRecords(repo, { edits, message: messageOf(edits) }, context),
    unreadable: unreadable.sort((a, b) => comparePaths(a.path, b.path)),
  };
}

interface HeadFile {
  readonly path: RepoPath;
  readonly record: Rec;
}

function* filesHere(repo: Repository): Generator<HeadFile> {
  for (const entry of headEntries(repo, [ROOT])) {
    if (isAbsentEntry(entry)) continue;
    const record = parseRecord(repo.history.readBlobText(recordAt(entry.known, entry.k)));
    if (record.type === 'file') yield { path: entry.path, record };
  }
}

/** The record as this bk would make it; undefined: it is no media, or what is recorded is not here. */
function said(
  live: LiveTree,
  { path, record, reader }: HeadFile & { readonly reader: MediaReader },
  unreadable: PathProblem[],
): Rec | undefined {
  const wasMedia = record.media !== undefined || record.hashes?.['payload'] !== undefined;
  try {
    const content = live.withFile(path, (fd, size) => {
      if (size !== record.size || !(wasMedia || reader.begins(fd, size))) return null;
      return reader.read(fd, size);
    });
    if (content === undefined && live.type(path) === 'file')
      unreadable.push({ path, reason: 'permission denied' });
    if (content?.hash !== record.blake3) return undefined;
    const { media: _media, hashes: { payload: _payload, ...others } = {}, ...kept } = record;
    const payload = content?.facts?.payload;
    const hashes = { ...others, ...(payload && { payload }) };
    const media = content?.facts?.media;
    return { ...kept, ...(Object.keys(hashes).length > 0 && { hashes }), ...(media && { media }) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    unreadable.push({ path, reason: reasonOf(error) });
    return undefined;
  }
}

function isSame(before: Rec, now: Rec): boolean {
  const saidBy = ({ media, hashes }: Rec): string => formatJson({ ...(media && { media }), ...hashes });
  return saidBy(before) === saidBy(now);
}

function messageOf(edits: readonly RecordEdit[]): string {
  return `Read media facts anew: ${edits.length === 1 ? edits[0]!.path : `${edits.length} files`}`;
}
