import { DIRECTORY_RECORD, type EntryType, joinPath, parseRecord, type Rec, type RepoPath } from '@bk/core';
import type { Context } from '../context.ts';
import { idSource, recordsOf } from '../history/records.ts';
import { linksAway } from '../presence/absent-links.ts';
import type { Repository } from '../repository.ts';
import { compareWithHead } from './compare.ts';
import { Pool } from './pool.ts';

/** Paths of record blobs at which the folder differs from the head: the record a commit would make, undefined for none. */
export type WorkingRecords = ReadonlyMap<RepoPath, Rec | undefined>;

/** The records that the next commit would have in other places or with other fields than the head; nothing is written. */
export async function workingRecords(repo: Repository, context: Context): Promise<WorkingRecords> {
  const pool = new Pool();
  try {
    const decision = await compareWithHead(repo, { all: true, rehash: false, pool }, context);
    const { entries, deleted } = decision.identified;
    const { history } = repo;
    const records = new Map<RepoPath, Rec | undefined>();
    for (const { path, type } of deleted) records.set(blobPath(path, type), undefined);
    for (const { seen, object } of entries) {
      if (object.kind === 'known' && object.tracked.path !== seen.path) {
        records.set(blobPath(object.tracked.path, object.tracked.type), undefined);
      }
    }
    for (const { entry, text } of recordsOf(entries, decision, {
      history,
      newId: idSource(context),
      linksAway: linksAway(repo),
    })) {
      const { seen, object } = entry;
      if (text !== undefined) records.set(blobPath(seen.path, seen.type), parseRecord(text));
      else if (object.kind === 'known') {
        records.set(blobPath(seen.path, seen.type), parseRecord(history.readBlobText(object.tracked.record)));
      }
    }
    return records;
  } finally {
    pool.close();
  }
}

function blobPath(path: RepoPath, type: EntryType): RepoPath {
  return type === 'dir' ? joinPath(path, DIRECTORY_RECORD) : path;
}
