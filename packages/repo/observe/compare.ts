import { type GitId, parentOf, parseRecord, type RepoPath } from '@bk/core';
import { IndexDamaged } from '@bk/store';
import { IgnoreRules } from '@bk/worktree';
import type { Context } from '../context.ts';
import type { Repository } from '../repository.ts';
import { type DecideOptions, type Decision, decide } from './decide.ts';
import { groundOf } from './ground.ts';
import { observe } from './observe.ts';
import type { Pool } from './pool.ts';

/** Keeps what is at or below one of the paths; a rename counts at both of its ends. */
export function pathFilter(
  paths: readonly RepoPath[] | undefined,
): (item: { path: RepoPath; from?: RepoPath }) => boolean {
  if (paths === undefined || paths.length === 0) return () => true;
  const wanted = new Set(paths);
  const isWanted = (path: RepoPath): boolean => {
    for (let folder = path; ; folder = parentOf(folder)) {
      if (wanted.has(folder)) return true;
      if (folder === '') return false;
    }
  };
  return ({ path, from }) => isWanted(path) || (from !== undefined && isWanted(from));
}

export interface CompareOptions {
  /** Read every content that is not settled, not only those on which the answer depends. */
  readonly all: boolean;
  /** Believe no stat. */
  readonly rehash: boolean;
  readonly pool: Pool;
  /** See DecideOptions. */
  readonly onAdded?: DecideOptions['onAdded'];
}

/**
 * The folder against the head: observe, then decide. Several verbs begin with it. An index that turns out to be
 * damaged is mended from the history first: nothing is concluded from what it lacks.
 */
export async function compareWithHead(
  repo: Repository,
  options: CompareOptions,
  context: Context,
): Promise<Decision> {
  try {
    return await compareOnce(repo, options, context);
  } catch (error) {
    if (!(error instanceof IndexDamaged)) throw error;
    repo.mendIndex();
    return compareOnce(repo, options, context);
  }
}

async function compareOnce(repo: Repository, options: CompareOptions, context: Context): Promise<Decision> {
  const { root } = repo.layout;
  const { index } = repo;
  const { pool } = options;
  const ground = groundOf(root, !options.rehash);
  const observation = await observe({
    root,
    index,
    pool,
    ground,
    ignore: new IgnoreRules(root),
    onEntries: (files) => context.report({ phase: 'scan', files, bytes: 0 }),
  });
  let files = 0;
  let bytes = 0;
  let totals = {};
  pool.onProgress = (moreFiles, moreBytes) => {
    files += moreFiles;
    bytes += moreBytes;
    context.report({ phase: 'hash', files, bytes, ...totals });
  };
  return decide(observation, {
    root,
    index,
    pool,
    all: options.all,
    believe: !options.rehash,
    saysMore: (record) => saysMore(repo, record),
    payloadOf: ({ record }) => parseRecord(repo.history.readBlobText(record)).hashes?.['payload'],
    ...(options.onAdded && { onAdded: options.onAdded }),
    keepHashes: options.all && repo.locked,
    grainNs: ground.trust.grainNs,
    totals: (totalFiles, totalBytes) => {
      totals = { totalFiles, totalBytes };
    },
  });
}

function saysMore(repo: Repository, record: GitId): boolean {
  const {
    v: _v,
    id: _id,
    type: _type,
    mode: _mode,
    ...more
  } = parseRecord(repo.history.readBlobText(record));
  return Object.keys(more).length > 0;
}
