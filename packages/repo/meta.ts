import { BkError, type ObjectId, parseRecord, type Rec, type RepoPath, ROOT } from '@bk/core';
import type { Context } from './context.ts';
import { type LogEntry, log } from './log.ts';
import { headObject } from './observe/head-objects.ts';
import { isAbsent } from './presence/absence.ts';
import type { Repository } from './repository.ts';
import { type WhereCopy, where } from './where.ts';

export interface MetaOptions {
  /** Files, links and folders of the head, here or not, or what it had there last. */
  readonly paths: readonly RepoPath[];
  /** Most commits of each. */
  readonly versions?: number;
}

/** A commit that changed it. */
export type MetaVersion = Pick<LogEntry, 'commit' | 'time' | 'message' | 'repository' | 'path'>;

export interface MetaFile {
  readonly path: RepoPath;
  /** Null: a folder that has no record of its own, of which nothing but its name is known. */
  readonly id: ObjectId | null;
  readonly record: Rec | null;
  /** Of a folder: false if nothing of it is here by design. */
  readonly present: boolean;
  /** The head does not have it any more; `record` is the last one. */
  readonly departed?: true;
  /** Which repositories hold its content, by what they said last; of a folder none. */
  readonly copies: readonly WhereCopy[];
  /** Newest first. */
  readonly versions: readonly MetaVersion[];
}

export interface MetaResult {
  readonly files: readonly MetaFile[];
}

const VERSIONS = 10;

/** All that is known of files and folders. @throws BkError 'not-found' for what no commit had */
export function meta(repo: Repository, options: MetaOptions, context: Pick<Context, 'nowMs'>): MetaResult {
  const { paths, versions = VERSIONS } = options;
  const files = [...new Set(paths)].map((path): MetaFile => {
    const { record, departed } = recordAtPath(repo, path);
    const { copies, present } = copiesOf(repo, path, record, context);
    return {
      path,
      ...{ id: record?.id ?? null, record: record ?? null, present },
      ...(departed && { departed }),
      copies,
      versions: versionsOf(repo, path, versions, context),
    };
  });
  return { files };
}

function recordAtPath(
  repo: Repository,
  path: RepoPath,
): { readonly record: Rec | undefined; readonly departed?: true } {
  try {
    return { record: headObject(repo, path).record };
  } catch (error) {
    if (!(error instanceof BkError) || error.code !== 'not-found') throw error;
    const record = lastRecord(repo, path);
    if (record === undefined)
      throw new BkError('not-found', `nothing is known of ${path}: no commit has or had it`, {
        path,
        hint: 'what is not committed yet shows in `bk status`',
      });
    return { record, departed: true };
  }
}

/** What the head had at the path when it was deleted last. */
function lastRecord({ index, history }: Repository, path: RepoPath): Rec | undefined {
  let latest: { readonly timeSec: number; readonly record: Rec } | undefined;
  for (const row of index.departed.all()) {
    if (row.path !== path || row.reason !== 'deleted' || (latest?.timeSec ?? -1) > row.timeSec) continue;
    latest = { timeSec: row.timeSec, record: parseRecord(history.readBlobText(row.record)) };
  }
  return latest?.record;
}

function copiesOf(
  repo: Repository,
  path: RepoPath,
  record: Rec | undefined,
  context: Pick<Context, 'nowMs'>,
): Pick<MetaFile, 'copies' | 'present'> {
  if (record === undefined || record.type === 'dir')
    return { copies: [], present: path === ROOT || !isAbsent(repo, path) };
  const [file] = where(repo, { paths: [path] }, context).files;
  return { copies: file?.copies ?? [], present: file?.present ?? false };
}

function versionsOf(
  repo: Repository,
  path: RepoPath,
  limit: number,
  context: Pick<Context, 'nowMs'>,
): MetaVersion[] {
  const { commits } = log(repo, { path, limit }, context);
  return commits.map(({ commit, time, message, repository, path: there }) => ({
    ...{ commit, time, message },
    ...(repository && { repository }),
    ...(there !== undefined && { path: there }),
  }));
}
